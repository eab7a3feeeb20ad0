// A guest's transmit queue for tests: any frame, in any shape of descriptor chain, one at a time.
// (For speed there is TransmitStream.)
//
// send() copies header and frame into guest memory, cut into links as the shape says, each link on
// its own with poisoned bytes between them, so that a device that reads past a link's end delivers
// poison. Descriptors are taken in ring order and come back in the order in which the device
// returns them, which keeps ring order as IN_ORDER demands when the device does
// (virtio 1.2, 2.7.9); a single used entry for a whole batch is understood.
//
// Threads: one. Errors: frontend::Error for a device that breaks the protocol.
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

// Where header + frame is cut: the lengths of all links but the last, which takes the rest.
struct ChainShape {
  std::vector<uint32_t> cuts;
  bool indirect = false;

  static ChainShape single() { return {}; }
  static ChainShape header_alone(uint32_t header_size) { return {{header_size}, false}; }
  static ChainShape split(std::vector<uint32_t> cuts) { return {std::move(cuts), false}; }
  static ChainShape indirect_table(std::vector<uint32_t> cuts) { return {std::move(cuts), true}; }
};

struct TransmitOptions {
  uint32_t header_size = kLongHeader;
  uint32_t max_frame = 2048;
  uint16_t max_links = 16;  // of an indirect table, and of what the poison between links allows
};

class TransmitQueue {
 public:
  TransmitQueue(Ring& ring, GuestMemory& memory, const TransmitOptions& options);

  // Puts a frame on the ring, not yet published. False: no free descriptors, reclaim() first.
  bool send(std::span<const uint8_t> frame, const ChainShape& shape = {},
            const NetHeader& header = {});
  bool has_room(const ChainShape& shape) const {
    return free_.size() >= (shape.indirect ? 1 : shape.cuts.size() + 1);
  }
  // The links as given (guest addresses; NEXT and next are filled in), for hostile chains. The
  // head's id, or nothing when the ring is full.
  std::optional<uint16_t> post(std::span<const Descriptor> links, bool indirect);
  // Makes what was sent visible to the device; kicks when it wants that.
  void publish();
  // Takes back what the device has used; how many chains.
  std::size_t reclaim();
  std::size_t in_flight() const { return in_flight_.size(); }
  uint64_t completed() const { return completed_; }
  Ring& ring() { return ring_; }

 private:
  std::size_t buffer_size() const;
  void put_direct(std::span<const Descriptor> links, std::span<const uint16_t> ids);
  void put_indirect(std::span<const Descriptor> links, uint16_t id);
  void give_back(uint16_t head);

  Ring& ring_;
  GuestMemory& memory_;
  TransmitOptions options_;
  std::vector<uint8_t*> buffers_;               // by head id, allocated at first use
  std::vector<Descriptor*> tables_;             // likewise
  std::vector<std::vector<uint16_t>> members_;  // a chain's descriptors, by head id
  std::deque<uint16_t> free_;
  std::deque<uint16_t> in_flight_;  // heads in the order made available
  uint16_t unpublished_ = 0;
  uint64_t completed_ = 0;
};

}  // namespace frontend
