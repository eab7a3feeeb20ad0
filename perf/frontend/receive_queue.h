// A guest's receive queue for tests: buffers of any size and shape, and whole frames out of however
// many of them the device used. (For speed there is ReceiveStream.)
//
// receive() checks what the device owes: ids that were posted, lengths that fit, a whole header,
// num_buffers with all its buffers there at once (virtio 1.2, 5.1.6.4.1), and nothing written past
// the end of a buffer (each is followed by poison). Threads: one. Errors: frontend::Error.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "frontend/guest_memory.h"
#include "frontend/protocol.h"
#include "frontend/ring.h"

namespace frontend {

struct ReceiveOptions {
  uint32_t header_size = kLongHeader;
  bool mergeable = true;
  std::vector<uint32_t> links = {2048};  // lengths of one buffer's descriptors, header included
  bool indirect = false;
  uint16_t buffers = 0;  // posted at a time; 0: as many as the ring holds
};

struct ReceivedFrame {
  NetHeader header;
  std::vector<uint8_t> bytes;
  uint16_t buffers = 0;
};

class ReceiveQueue {
 public:
  ReceiveQueue(Ring& ring, GuestMemory& memory, const ReceiveOptions& options);

  // Posts every free buffer, at most `limit` of them, and publishes. How many.
  std::size_t fill(std::size_t limit = SIZE_MAX);
  // The next frame; its buffers are free again, but not posted before fill().
  std::optional<ReceivedFrame> receive();
  std::size_t posted() const { return posted_.size(); }
  uint64_t frames() const { return frames_; }
  Ring& ring() { return ring_; }

 private:
  struct Buffer {
    std::vector<uint8_t*> links;
    Descriptor* table = nullptr;
    uint16_t head = 0;
  };

  void make_buffer(uint16_t index);
  void write_descriptors(const Buffer& buffer);
  void append_used(uint16_t ahead, std::vector<uint8_t>& bytes);
  void append(const Buffer& buffer, uint32_t length, std::vector<uint8_t>& bytes) const;
  void check_poison(const Buffer& buffer) const;

  Ring& ring_;
  GuestMemory& memory_;
  ReceiveOptions options_;
  std::vector<Buffer> buffers_;
  std::vector<uint16_t> by_head_;  // head id -> index of its buffer
  std::deque<uint16_t> free_;      // indices
  std::deque<uint16_t> posted_;    // heads, in the order made available
  uint64_t frames_ = 0;
};

}  // namespace frontend
