#include "vhost/packed_ring.h"

#include <cstddef>

namespace vhost {

std::string PackedRing::check(const RingAreas& areas, RingPosition position,
                              const GuestMemory& memory) {
  constexpr size_t kEvent = 4;
  const auto holds = [&memory](const void* start, size_t alignment, size_t length) {
    return reinterpret_cast<uintptr_t>(start) % alignment == 0 && memory.holds_host(start, length);
  };
  const size_t size = areas.size;
  if (size < 2 || size > kMaxRingSize) {
    return "ring size " + std::to_string(size) + " is not from 2 to " +
           std::to_string(kMaxRingSize);
  }
  if (!holds(areas.descriptors, 16, 16 * size)) {
    return "the descriptor ring is not inside guest memory";
  }
  if (!holds(areas.driver, 4, kEvent)) {
    return "the driver's event suppression is not inside guest memory";
  }
  if (!holds(areas.device, 4, kEvent)) {
    return "the device's event suppression is not inside guest memory";
  }
  constexpr uint16_t kIndex = kWrapBit - 1;
  if ((position.next_avail & kIndex) >= size || (position.next_used & kIndex) >= size) {
    return "its position lies beyond the ring";
  }
  return {};
}

void PackedRing::place(const RingAreas& areas, RingPosition position, bool event_idx) noexcept {
  // The used descriptors are ours to write; a split ring's table is not, hence the type.
  descriptors_ = const_cast<Descriptor*>(static_cast<const Descriptor*>(areas.descriptors));
  driver_event_ = static_cast<const uint32_t*>(areas.driver);
  device_event_ = static_cast<uint32_t*>(areas.device);
  size_ = areas.size;
  event_idx_ = event_idx;
  interrupted_ = false;
  avail_.unpack(position.next_avail);
  used_.unpack(position.next_used);
}

}  // namespace vhost
