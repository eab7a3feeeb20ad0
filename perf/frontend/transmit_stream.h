// A guest's transmit queue for speed: every slot of the ring has its buffer and its chain from the
// start, and a turn only hands back to the device what it has returned.
//
//   turn_rings()  the guest only turns its ring: descriptors and frames stay as aim() wrote them.
//   turn_touch()  the guest writes each header, each frame's head (next addresses of the plan, next
//                 sequence number) and each descriptor, as a driver does.
//
// Both read every used entry, publish once a turn and kick when the device wants it. A slot is
// handed out again as soon as it comes back, in whatever order. drain() only takes back; send()
// hands out an exact number of frames, for warming up and for tests.
//
// With a gso_size the frames of turn_rings() are TCP segments that the device may pass on whole or
// cut; those that flood are short plain ones all the same.
//
// Buffers are an odd number of cache lines apart, so that they spread over all sets of a cache.
// A turn neither allocates nor throws. Threads: one.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/buffer_order.h"
#include "frontend/frame.h"
#include "frontend/guest_memory.h"
#include "frontend/protocol.h"
#include "frontend/ring.h"

namespace frontend {

enum class StreamShape {
  direct,     // one descriptor
  indirect3,  // an indirect table of three: header, first half, second half
};

struct TransmitStreamOptions {
  uint32_t header_size = kLongHeader;
  uint32_t frame_size = 60;  // without FCS
  StreamShape shape = StreamShape::direct;
  bool scattered = false;  // buffers in memory (buffer_order.h)
  uint16_t gso_size = 0;   // 0: plain frames
};

class TransmitStream {
 public:
  TransmitStream(Ring& ring, GuestMemory& memory, const TransmitStreamOptions& options);

  // Writes every slot anew. Only while nothing is in flight.
  void aim(const TrafficPlan& plan);
  // Frames the device returned in this turn.
  uint32_t turn_rings();
  uint32_t turn_touch();
  // Takes back what is returned and hands out nothing. Frames still in flight.
  uint32_t drain();
  // Takes back, then sends at most `limit` frames, touching each. How many.
  uint32_t send(uint32_t limit);

  uint64_t returned() const { return returned_; }
  uint64_t protocol_errors() const { return protocol_errors_; }

 private:
  std::size_t offset(uint16_t slot) const { return places_[slot] * stride_; }
  uint8_t* buffer(uint16_t slot) const { return buffers_ + offset(slot); }
  uint8_t* head(uint16_t slot) const { return buffer(slot) + options_.header_size; }
  void write_chain(uint16_t slot);
  void write_slot(uint16_t slot);
  uint16_t slot_of(UsedElement used) {
    if (used.id > ring_.mask()) [[unlikely]]
      ++protocol_errors_;
    return static_cast<uint16_t>(used.id & ring_.mask());
  }
  uint16_t in_flight() const { return static_cast<uint16_t>(ring_.size() - free_.size()); }
  // Returned entries; no more than are in flight, whatever the device says.
  uint16_t take_pending();
  void touch(uint8_t* start, PlanCursor& cursor) const;
  void touch_returned(uint16_t first, uint16_t count);
  uint16_t touch_free(uint16_t ahead, uint32_t limit);

  Ring& ring_;
  GuestMemory& memory_;
  TransmitStreamOptions options_;
  uint32_t frame_size_;
  bool segments_ = false;
  std::size_t stride_;
  std::vector<uint16_t> places_;
  uint8_t* buffers_;
  uint64_t buffers_address_;
  Descriptor* tables_ = nullptr;
  std::vector<uint16_t> free_;
  TrafficPlan plan_;
  PlanCursor cursor_;
  uint64_t returned_ = 0;
  uint64_t protocol_errors_ = 0;
};

}  // namespace frontend
