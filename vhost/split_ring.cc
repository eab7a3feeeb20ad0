#include "vhost/split_ring.h"

#include <cstddef>

namespace vhost {
namespace {

constexpr size_t kEventBytes = sizeof(uint16_t);

bool aligned(const void* address, size_t alignment) {
  return reinterpret_cast<uintptr_t>(address) % alignment == 0;
}

}  // namespace

std::string SplitRing::check(const RingAreas& areas, bool event_idx, const GuestMemory& memory) {
  const size_t size = areas.size;
  const size_t event = event_idx ? kEventBytes : 0;
  if (size < 2 || size > kMaxRingSize || (size & (size - 1)) != 0) {
    return "ring size " + std::to_string(size) + " is not a power of two from 2 to " +
           std::to_string(kMaxRingSize);
  }
  if (!aligned(areas.descriptors, 16) || !memory.holds_host(areas.descriptors, 16 * size)) {
    return "the descriptor table is not inside guest memory";
  }
  if (!aligned(areas.driver, 2) || !memory.holds_host(areas.driver, 4 + 2 * size + event)) {
    return "the available ring is not inside guest memory";
  }
  if (!aligned(areas.device, 4) || !memory.holds_host(areas.device, 4 + 8 * size + event)) {
    return "the used ring is not inside guest memory";
  }
  return {};
}

void SplitRing::place(const RingAreas& areas, RingPosition position, bool event_idx) noexcept {
  event_idx_ = event_idx;
  descriptors_ = static_cast<const Descriptor*>(areas.descriptors);
  avail_ = static_cast<const AvailRing*>(areas.driver);
  used_ = static_cast<UsedRing*>(areas.device);
  size_ = areas.size;
  mask_ = static_cast<uint16_t>(size_ - 1);
  avail_entries_ = reinterpret_cast<const uint16_t*>(avail_ + 1);
  used_entries_ = reinterpret_cast<UsedElement*>(used_ + 1);
  used_event_ = &avail_entries_[size_];
  avail_event_ = reinterpret_cast<uint16_t*>(&used_entries_[size_]);
  next_avail_ = position.next_avail;
  next_used_ = position.next_used;
  interrupted_ = false;
}

}  // namespace vhost
