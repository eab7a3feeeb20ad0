// A guest's receive queue for speed: all buffers posted from the start, each posted again in the
// turn that finds it used.
//
//   turn_rings()  the guest only turns its ring; one buffer is taken for one frame, so buffers must
//                 hold a whole one. audit() looks at what lies in the buffers afterwards.
//   turn_touch()  the guest reads each received header and frame head and checks them; a frame may
//                 span several buffers (mergeable).
//
// A turn neither allocates nor throws: what is wrong is counted. Threads: one.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/buffer_order.h"
#include "frontend/frame.h"
#include "frontend/guest_memory.h"
#include "frontend/protocol.h"
#include "frontend/ring.h"

namespace frontend {

struct ReceiveStreamOptions {
  uint16_t guest = 0;  // whose frames are right here
  uint16_t guests = 1;
  uint32_t header_size = kLongHeader;
  uint32_t buffer_size = 2048;  // header included
  bool mergeable = true;
  bool indirect3 = false;  // an indirect table of three: header, first half, second half
  bool scattered = false;  // buffers in memory (buffer_order.h)
};

struct ReceiveCounts {
  uint64_t frames = 0;
  uint64_t wrong = 0;       // for another guest, or not one of ours
  uint64_t misordered = 0;  // sequence number not above the one before it of the same source
  uint64_t bad_headers = 0;
  uint64_t protocol_errors = 0;
};

class ReceiveStream {
 public:
  ReceiveStream(Ring& ring, GuestMemory& memory, const ReceiveStreamOptions& options);

  // Frames (turn_rings: buffers) received in this turn.
  uint32_t turn_rings();
  uint32_t turn_touch();
  // Frames lying in buffers that are not for this guest. `looked_at`: how many frames lie there.
  uint32_t audit(uint32_t& looked_at) const;
  const ReceiveCounts& counts() const { return counts_; }
  // Sequence numbers begin again, as after TransmitStream::aim(): ordering starts afresh.
  void forget_order() { last_.assign(last_.size(), 0); }

 private:
  std::size_t offset(uint16_t slot) const { return places_[slot] * stride_; }
  uint8_t* buffer(uint16_t slot) const { return buffers_ + offset(slot); }
  uint16_t slot_of(UsedElement used) {
    if (used.id > ring_.mask()) [[unlikely]]
      ++counts_.protocol_errors;
    return static_cast<uint16_t>(used.id & ring_.mask());
  }
  uint16_t take_pending();
  void write_chain(uint16_t slot);
  uint16_t examine(const uint8_t* start);
  uint32_t examine_batch(uint16_t first, uint16_t count);

  Ring& ring_;
  ReceiveStreamOptions options_;
  std::size_t stride_;
  std::vector<uint16_t> places_;
  uint8_t* buffers_;
  uint64_t buffers_address_;
  Descriptor* tables_ = nullptr;
  uint64_t tables_address_ = 0;
  bool posted_ = false;
  uint16_t continuation_ = 0;   // buffers of the current frame still to come
  std::vector<uint64_t> last_;  // sequence number by source
  ReceiveCounts counts_;
};

}  // namespace frontend
