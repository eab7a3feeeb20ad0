#include "vhost/ring.h"

#include "vhost/offload.h"

namespace vhost {
namespace {

bool has(uint64_t features, unsigned number) {
  return (features & feature::bit(number)) != 0;
}

}  // namespace

std::string Ring::attach(const RingAreas& areas, RingPosition position, uint64_t features,
                         const GuestMemory& memory, int call_fd) {
  const bool event_idx = has(features, feature::kRingEventIdx);
  const bool packed = has(features, feature::kRingPacked);
  std::string error = packed ? PackedRing::check(areas, position, memory)
                             : SplitRing::check(areas, event_idx, memory);
  if (!error.empty()) return error;
  is_packed_ = packed;
  if (packed) {
    packed_.place(areas, position, event_idx);
  } else {
    split_.place(areas, position, event_idx);
  }
  size_ = areas.size;
  indirect_ = has(features, feature::kRingIndirectDesc);
  mergeable_ = has(features, feature::kNetMergeableRxBuf);
  const bool long_header = mergeable_ || has(features, feature::kVersion1);
  header_bytes_ = long_header ? kNetHeaderBytes : kLegacyNetHeaderBytes;
  sends_ = offload::sent_with(features);
  accepts_ = offload::accepted_with(features);
  call_fd_ = call_fd;
  memory_.reset(&memory);
  fault_.store(RingFault::none, std::memory_order_relaxed);
  ever_filled_.store(false, std::memory_order_relaxed);
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
    case RingFault::chain_length:
      return "a chain is longer than the ring";
  }
  return "unknown";
}

}  // namespace vhost
