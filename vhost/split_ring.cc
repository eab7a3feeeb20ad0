#include "vhost/split_ring.h"

#include <cstddef>

namespace vhost {
namespace {

constexpr size_t kEventBytes = sizeof(uint16_t);

bool aligned(const void* address, size_t alignment) {
  return reinterpret_cast<uintptr_t>(address) % alignment == 0;
}

bool has(uint64_t features, unsigned number) {
  return (features & feature::bit(number)) != 0;
}

// Alignments and extents: virtio 1.2, 2.7.
std::string check_areas(const RingAreas& areas, bool event_idx, const GuestMemory& memory) {
  const size_t size = areas.size;
  const size_t event = event_idx ? kEventBytes : 0;
  if (size < 2 || size > kMaxRingSize || (size & (size - 1)) != 0) {
    return "ring size " + std::to_string(size) + " is not a power of two from 2 to " +
           std::to_string(kMaxRingSize);
  }
  if (!aligned(areas.descriptors, 16) || !memory.holds_host(areas.descriptors, 16 * size)) {
    return "the descriptor table is not inside guest memory";
  }
  if (!aligned(areas.avail, 2) || !memory.holds_host(areas.avail, 4 + 2 * size + event)) {
    return "the available ring is not inside guest memory";
  }
  if (!aligned(areas.used, 4) || !memory.holds_host(areas.used, 4 + 8 * size + event)) {
    return "the used ring is not inside guest memory";
  }
  return {};
}

}  // namespace

std::string SplitRing::attach(const RingAreas& areas, RingPosition position, uint64_t features,
                              const GuestMemory& memory, int call_fd) {
  event_idx_ = has(features, feature::kRingEventIdx);
  std::string error = check_areas(areas, event_idx_, memory);
  if (!error.empty()) return error;
  indirect_ = has(features, feature::kRingIndirectDesc);
  mergeable_ = has(features, feature::kNetMergeableRxBuf);
  const bool long_header = mergeable_ || has(features, feature::kVersion1);
  header_bytes_ = long_header ? kNetHeaderBytes : kLegacyNetHeaderBytes;
  sends_ = offload::sent_with(features);
  accepts_ = offload::accepted_with(features);
  descriptors_ = areas.descriptors;
  avail_ = areas.avail;
  used_ = areas.used;
  size_ = areas.size;
  mask_ = static_cast<uint16_t>(size_ - 1);
  avail_entries_ = reinterpret_cast<const uint16_t*>(areas.avail + 1);
  used_entries_ = reinterpret_cast<UsedElement*>(areas.used + 1);
  used_event_ = &avail_entries_[size_];
  avail_event_ = reinterpret_cast<uint16_t*>(&used_entries_[size_]);
  next_avail_ = position.next_avail;
  next_used_ = position.next_used;
  interrupted_ = false;
  call_fd_ = call_fd;
  memory_.reset(&memory);
  fault_.store(RingFault::none, std::memory_order_relaxed);
  disable_kicks();
  return {};
}

const char* describe(RingFault fault) noexcept {
  switch (fault) {
    case RingFault::none:
      return "";
    case RingFault::avail_index:
      return "its available index ran ahead by more than the ring's size";
    case RingFault::descriptor_id:
      return "an available entry names a descriptor beyond the table";
  }
  return "unknown";
}

}  // namespace vhost
