// How long a frame on a port may be.
//
// A port with an MTU takes frames whose payload is no longer than that, behind an Ethernet header
// and, when there is one, a VLAN tag; both ways. A port without takes what any port may take.
//
// Threads: a plain value.
#pragma once

#include <cstdint>
#include <optional>

#include "vhost/batch.h"
#include "vhost/offload.h"

namespace vhost {

class FrameLimit {
 public:
  FrameLimit() = default;
  // REQUIRES: mtu <= 9216.
  explicit FrameLimit(std::optional<uint16_t> mtu) {
    if (!mtu) return;
    plain_ = *mtu + kEthernetHeaderBytes;
    tagged_ = plain_ + kVlanTagBytes;
  }

  // A frame no longer than this may pass whatever it is.
  uint32_t least() const noexcept { return plain_; }
  // One that is longer than this may not.
  uint32_t most() const noexcept { return tagged_; }
  // A segment to be cut counts as the longest frame that it makes.
  bool allows(const Batch& batch, unsigned slot) const noexcept {
    const uint32_t length = link_length(batch, slot);
    if (length <= plain_) return true;
    const HeadView head(batch.head[slot].data() + kNetHeaderBytes, kHeadFrameBytes);
    const uint16_t type = head.word(detail::kTypeOffset);
    const bool has_tag = type == detail::kTypeVlan || type == detail::kTypeServiceVlan;
    return length <= (has_tag ? tagged_ : plain_);
  }

 private:
  static constexpr uint32_t kVlanTagBytes = 4;

  static uint32_t link_length(const Batch& batch, unsigned slot) noexcept {
    const uint32_t length = batch.length[slot];
    if (!batch.any_needs || (batch.needs[slot] & offload::kSegments) == 0) return length;
    const Offload& request = batch.offload[slot];
    const uint32_t cut = uint32_t{request.header_bytes} + request.segment_bytes;
    return cut < length ? cut : length;
  }

  uint32_t plain_ = kMaxFrameBytes;
  uint32_t tagged_ = kMaxFrameBytes;
};

}  // namespace vhost
