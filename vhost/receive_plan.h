// Where a frame goes that does not fit the nearly universal case: which buffers, piece by piece.
// Part of receive.h.
#pragma once

#include "vhost/receive.h"

namespace vhost {

// Gets the first lines of `count` buffers behind `taken`, whatever their shape, on their way.
// Nothing read here is used for anything else.
inline void ReceiveRing::prefetch_chains(uint32_t taken, uint32_t count) noexcept {
  for (uint32_t i = 0; i < count; ++i) {
    prefetch(&descriptors_[std::min<uint32_t>(head_at(taken + i), mask_)]);
  }
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t id = std::min<uint32_t>(head_at(taken + i), mask_);
    const Descriptor link = read_descriptor(&descriptors_[id]);
    uint8_t* at = memory_.translate(link.address, link.length);
    if ((link.flags & kDescIndirect) != 0) {
      prefetch(at);
    } else {
      prefetch_for_write(at);
    }
  }
}

// Finds room for `need` bytes behind `taken` buffers, claiming nothing.
inline ReceiveRing::Outcome ReceiveRing::plan(uint32_t taken, uint32_t available, uint64_t need,
                                              Plan& out) noexcept {
  out.buffers = 0;
  out.pieces = 0;
  out.capacity = 0;
  while (out.capacity < need) {
    if (!mergeable_ && out.buffers == 1) return Outcome::too_small;
    if (taken + out.buffers >= available || !running()) return Outcome::no_buffer;
    if (out.walked >= kLinksPerDelivery) return Outcome::no_buffer;
    const uint16_t head = head_at(taken + out.buffers);
    if (head >= size_) {
      give_up(RingFault::descriptor_id);
      return Outcome::no_buffer;
    }
    const uint64_t before = out.capacity;
    const bool sound = add_buffer(head, out);
    out.id[out.buffers] = head;
    out.buffer_capacity[out.buffers++] = static_cast<uint32_t>(out.capacity - before);
    // A buffer of no bytes is none: a ring of them would be walked anew for each frame.
    if (!sound || out.capacity == before) return Outcome::malformed;
  }
  return Outcome::delivered;
}

// Walks the chain at `head`; false when it breaks the rules (virtio 1.2, 2.7.5). Lengths beyond
// the largest segment are cut: no delivery needs them.
inline bool ReceiveRing::add_buffer(uint16_t head, Plan& out) noexcept {
  const Descriptor* table = descriptors_;
  unsigned size = size_;
  Descriptor link = read_descriptor(&table[head]);
  if ((link.flags & kDescIndirect) != 0) {
    const auto entries = static_cast<unsigned>(link.length / sizeof(Descriptor));
    if (!indirect_ || (link.flags & kDescNext) != 0) return false;
    if (link.length % sizeof(Descriptor) != 0 || entries == 0 || entries > size_) return false;
    table = reinterpret_cast<const Descriptor*>(memory_.translate(link.address, link.length));
    if (table == nullptr) return false;
    size = entries;
    link = read_descriptor(table);
  }
  for (unsigned links = 1;; ++links) {
    ++out.walked;
    if ((link.flags & kDescWrite) == 0 || (link.flags & kDescIndirect) != 0) return false;
    uint64_t address = link.address;
    uint64_t left = std::min<uint64_t>(link.length, kNetHeaderBytes + kMaxSegmentBytes);
    while (left > 0) {
      uint64_t available = 0;
      uint8_t* at = memory_.translate_some(address, available);
      if (at == nullptr || out.pieces == kMostPieces) return false;
      const auto length = static_cast<uint32_t>(std::min(left, available));
      out.piece[out.pieces++] = {at, length};
      out.capacity += length;
      address += length;
      left -= length;
    }
    if ((link.flags & kDescNext) == 0) return true;
    if (links == size || link.next >= size) return false;
    link = read_descriptor(&table[link.next]);
  }
}

}  // namespace vhost
