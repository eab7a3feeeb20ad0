// A guest's transmit ring, as the switch empties it.
//
// Theory of operation. take() works in stages over a whole burst, each stage prefetching for the
// next: available entries -> descriptors -> the first lines of each frame -> head copied into the
// batch. The nearly universal frame (one direct descriptor, 12-byte header) never leaves that
// pipeline; chains, indirect tables and legacy headers go through gather(), one by one. Nothing is
// returned to the guest until give_back(): the batch's tails point into the guest's buffers.
//
// What a chain may be: virtio 1.2, 2.7.5 (chains), 2.7.5.3 (indirect), 5.1.6.2 (transmission).
// Limits of our own: at most ring-size links, the whole no longer than the port's frames (or than
// a segment, where the driver may send those) and a header, kLinksPerBurst and kLongBytesPerBurst a
// burst: what a guest makes of its descriptors costs it its turn, not the others theirs.
//
// Threads: the worker that owns the ring, while running().
#pragma once

#include <algorithm>

#include "vhost/batch.h"
#include "vhost/copy.h"
#include "vhost/frame_limit.h"
#include "vhost/offload.h"
#include "vhost/split_ring.h"

namespace vhost {

class TransmitRing : public SplitRing {
 public:
  // REQUIRES: stopped.
  void limit_frames(const FrameLimit& limit) noexcept { limit_ = limit; }

  // One burst. More adds nothing, less pays more for each index that another core wrote.
  static constexpr unsigned kBurst = 64;

  // Adds up to `limit` (<= kBurst) frames to the batch; those that break the rules are in it too,
  // with their fault. Returns how many. REQUIRES: running().
  unsigned take(Batch& batch, unsigned limit) noexcept;

  // Returns the chains of frames [first, first + count) to the guest, in the order they came
  // (VIRTIO_F_IN_ORDER). True: raise an interrupt.
  bool give_back(const Batch& batch, unsigned first, unsigned count) noexcept;

 private:
  // The most pieces one frame may have in our memory: a link can cross into another region.
  static constexpr unsigned kFrameSegments = kMaxRingSize + GuestMemory::kMaxRegions;
  // Links walked before a burst ends early; one chain more may follow. 64 frames of Linux in 17
  // fragments and their headers stay below it.
  static constexpr unsigned kLinksPerBurst = 2048;
  // Bytes of long or chained frames before a burst ends early: sixteen segments of 64 KiB.
  static constexpr uint64_t kLongBytesPerBurst = 1 << 20;

  struct Burst {
    Descriptor descriptor[kBurst];
    const uint8_t* at[kBurst];  // host address of a simple frame's header; nullptr for the others
  };
  // A descriptor table being walked: the ring's own or an indirect one.
  struct Table {
    const Descriptor* entries;
    unsigned size;
  };

  unsigned read_heads(Batch& batch, unsigned count) noexcept;
  void read_descriptors(Batch& batch, Burst& burst, unsigned count) noexcept;
  unsigned gather_chains(Batch& batch, Burst& burst, unsigned count) noexcept;
  void copy_heads(Batch& batch, const Burst& burst, unsigned count) noexcept;

  FrameFault gather(Batch& batch, unsigned slot, const Descriptor& head, unsigned& walked) noexcept;
  bool find_table(const Descriptor& head, Table& table, Descriptor& first) noexcept;
  bool append(Batch& batch, uint32_t limit, const Descriptor& link) noexcept;
  FrameFault assemble(Batch& batch, unsigned slot) noexcept;
  FrameFault admit(Batch& batch, unsigned slot, const NetHeader& header) noexcept;

  // The longest chain's frame: that of a segment, where the driver may send one.
  uint32_t longest() const noexcept {
    return (sends_ & offload::kSegments) != 0 ? kMaxSegmentBytes : limit_.most();
  }

  FrameLimit limit_;
};

inline unsigned TransmitRing::take(Batch& batch, unsigned limit) noexcept {
  unsigned count = std::min<unsigned>(available(), limit);
  if (count == 0) return 0;
  Burst burst;
  count = read_heads(batch, count);
  read_descriptors(batch, burst, count);
  count = gather_chains(batch, burst, count);
  copy_heads(batch, burst, count);
  next_avail_ = static_cast<uint16_t>(next_avail_ + count);
  batch.count += count;
  return count;
}

inline unsigned TransmitRing::read_heads(Batch& batch, unsigned count) noexcept {
  for (unsigned i = 0; i < count; ++i) {
    const uint16_t id =
        __atomic_load_n(&avail_entries_[(next_avail_ + i) & mask_], __ATOMIC_RELAXED);
    if (__builtin_expect(id >= size_, 0)) {
      give_up(RingFault::descriptor_id);
      return i;
    }
    batch.descriptor[batch.count + i] = id;
    prefetch(&descriptors_[id]);
  }
  prefetch_used(count);
  return count;
}

inline void TransmitRing::read_descriptors(Batch& batch, Burst& burst, unsigned count) noexcept {
  constexpr uint16_t kSpecial = kDescNext | kDescWrite | kDescIndirect;
  constexpr uint32_t kLeast = kNetHeaderBytes + kEthernetHeaderBytes;
  const uint32_t most = kNetHeaderBytes + limit_.least();  // longer ones go the careful way
  const bool long_header = header_bytes_ == kNetHeaderBytes;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned slot = batch.count + i;
    const Descriptor link = read_descriptor(&descriptors_[batch.descriptor[slot]]);
    const bool simple =
        (link.flags & kSpecial) == 0 && link.length - kLeast <= most - kLeast && long_header;
    const uint8_t* at = nullptr;
    if (__builtin_expect(simple, 1)) {
      at = memory_.translate(link.address, link.length);
      prefetch(at);
      prefetch(at + 64);
      batch.length[slot] = link.length - kNetHeaderBytes;
    } else if ((link.flags & kDescIndirect) != 0) {
      prefetch(memory_.translate(link.address, link.length));
    }
    burst.at[i] = at;
    if (at == nullptr) burst.descriptor[i] = link;
  }
}

inline unsigned TransmitRing::gather_chains(Batch& batch, Burst& burst, unsigned count) noexcept {
  unsigned walked = 0;
  uint64_t bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned slot = batch.count + i;
    if (__builtin_expect(burst.at[i] != nullptr, 1)) {
      batch.fault[slot] = FrameFault::none;
      continue;
    }
    if (batch.segments_used + kFrameSegments > Batch::kSegments) return i;
    if (walked >= kLinksPerBurst || bytes >= kLongBytesPerBurst) return i;
    batch.fault[slot] = gather(batch, slot, burst.descriptor[i], walked);
    bytes += batch.length[slot];
  }
  return count;
}

// The table that the chain continues in, and its first link.
inline bool TransmitRing::find_table(const Descriptor& head, Table& table,
                                     Descriptor& first) noexcept {
  if ((head.flags & kDescIndirect) == 0) {
    table = {descriptors_, size_};
    first = head;
    return true;
  }
  // No NEXT beside INDIRECT, whole descriptors only, no longer than the ring (virtio 1.2, 2.7.5.3).
  const unsigned entries = head.length / sizeof(Descriptor);
  if (!indirect_ || (head.flags & kDescNext) != 0) return false;
  if (head.length % sizeof(Descriptor) != 0 || entries == 0 || entries > size_) return false;
  const uint8_t* at = memory_.translate(head.address, head.length);
  if (at == nullptr) return false;
  table = {reinterpret_cast<const Descriptor*>(at), entries};
  first = read_descriptor(table.entries);
  return (first.flags & kDescIndirect) == 0;
}

// Collects the chain's pieces behind segments_used, without claiming them.
inline FrameFault TransmitRing::gather(Batch& batch, unsigned slot, const Descriptor& head,
                                       unsigned& walked) noexcept {
  batch.tail[slot] = {nullptr, batch.segments_used, 0};
  batch.length[slot] = 0;
  Table table;
  Descriptor link;
  if (!find_table(head, table, link)) return FrameFault::malformed;
  const uint32_t limit = batch.segments_used + kFrameSegments;
  uint64_t total = 0;
  uint32_t end = batch.segments_used;
  for (unsigned links = 1;; ++links) {
    ++walked;
    if ((link.flags & (kDescWrite | kDescIndirect)) != 0) return FrameFault::malformed;
    std::swap(batch.segments_used, end);
    const bool mapped = append(batch, limit, link);
    std::swap(batch.segments_used, end);
    if (!mapped) return FrameFault::malformed;
    total += link.length;
    if ((link.flags & kDescNext) == 0) break;
    if (links == table.size || link.next >= table.size) return FrameFault::malformed;
    link = read_descriptor(&table.entries[link.next]);
  }
  if (total < header_bytes_) return FrameFault::malformed;
  const uint64_t length = total - header_bytes_;
  if (length > longest()) return FrameFault::oversize;
  batch.length[slot] = static_cast<uint32_t>(length);
  batch.tail[slot].segments = end - batch.segments_used;
  batch.segments_used = end;
  return length < kEthernetHeaderBytes ? FrameFault::runt : FrameFault::none;
}

inline bool TransmitRing::append(Batch& batch, uint32_t limit, const Descriptor& link) noexcept {
  uint64_t address = link.address;
  uint64_t left = link.length;
  while (left > 0) {
    uint64_t available = 0;
    const uint8_t* at = memory_.translate_some(address, available);
    if (at == nullptr || batch.segments_used == limit) return false;
    const auto length = static_cast<uint32_t>(std::min(left, available));
    prefetch(at);
    batch.segments[batch.segments_used++] = {at, length};
    address += length;
    left -= length;
  }
  return true;
}

// Header into its place, first frame bytes behind it, the remaining pieces become the tail.
inline FrameFault TransmitRing::assemble(Batch& batch, unsigned slot) noexcept {
  Tail& tail = batch.tail[slot];
  Segment* piece = &batch.segments[tail.first];
  const Segment* const end = piece + tail.segments;
  uint8_t header[kNetHeaderBytes] = {};
  const auto pull = [&](uint8_t* to, size_t length) {
    while (length > 0 && piece != end) {
      const size_t part = std::min<size_t>(length, piece->length);
      copy_bytes(to, piece->data, part);
      to += part;
      length -= part;
      piece->data += part;
      piece->length -= static_cast<uint32_t>(part);
      if (piece->length == 0) ++piece;
    }
  };
  pull(header, header_bytes_);
  pull(batch.head[slot].data() + kNetHeaderBytes, std::min(batch.length[slot], kHeadFrameBytes));
  tail.first = static_cast<uint32_t>(piece - batch.segments.data());
  tail.segments = static_cast<uint32_t>(end - piece);
  tail.data = tail.segments == 1 ? piece->data : nullptr;
  NetHeader asked;
  std::memcpy(&asked, header, sizeof(asked));
  FrameFault fault = FrameFault::none;
  if ((asked.flags & kNetNeedsChecksum) != 0 || asked.gso_type != kGsoNone) {
    fault = admit(batch, slot, asked);
  } else {
    constexpr NetHeader kPlain{0, 0, 0, 0, 0, 0, 1};
    std::memcpy(batch.head[slot].data(), &kPlain, sizeof(kPlain));
  }
  if (fault != FrameFault::none || limit_.allows(batch, slot)) return fault;
  batch.length[slot] = 0;
  return FrameFault::oversize;
}

// A header that asks for something: what it asks for is noted, and the head gets the header that a
// receiver finds which can do that. REQUIRES: the rest of the head is there.
[[gnu::noinline]] inline FrameFault TransmitRing::admit(Batch& batch, unsigned slot,
                                                        const NetHeader& header) noexcept {
  uint8_t* head = batch.head[slot].data();
  const uint32_t length = batch.length[slot];
  const HeadView view(head + kNetHeaderBytes, std::min(length, kHeadFrameBytes));
  Offload request;
  uint8_t needs = 0;
  const FrameFault fault = check_offload(header, sends_, view, length, request, needs);
  if (fault != FrameFault::none) return fault;
  batch.set_needs(slot, needs);
  batch.offload[slot] = request;
  const NetHeader passed_on = header_for(request, needs);
  std::memcpy(head, &passed_on, sizeof(passed_on));
  return FrameFault::none;
}

inline void TransmitRing::copy_heads(Batch& batch, const Burst& burst, unsigned count) noexcept {
  constexpr Vector32 kKeep = {0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                              0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  constexpr Vector32 kOneBuffer = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  for (unsigned i = 0; i < count; ++i) {
    const unsigned slot = batch.count + i;
    const uint8_t* at = burst.at[i];
    if (__builtin_expect(at == nullptr, 0)) {
      if (batch.fault[slot] == FrameFault::none) batch.fault[slot] = assemble(batch, slot);
      continue;
    }
    const uint32_t total = batch.length[slot] + kNetHeaderBytes;
    const uint32_t in_head = std::min<uint32_t>(total, kHeadBytes);
    uint8_t* head = batch.head[slot].data();
    uint32_t asks;  // for an offload
    NetHeader header;
    if (__builtin_expect(in_head >= 64, 1)) {
      // The header is masked in the register: patched in memory, each later wide load would wait
      // for the store buffer.
      Vector32 first = load32(at);
      pin(first);
      const Vector32 second = load32(at + 32);
      const Vector32 last = load32(at + in_head - 32);
      asks = static_cast<uint32_t>(first[0] & kNetNeedsChecksum) | first[1];
      if (in_head > 96) store32(head + 64, load32(at + 64));
      store32(head, (first & kKeep) | kOneBuffer);
      store32(head + 32, second);
      if (in_head > 64) store32(head + in_head - 32, last);
      if (__builtin_expect(asks != 0, 0)) std::memcpy(&header, &first, sizeof(header));
    } else {
      copy_up_to_128(head, at, in_head);
      asm("" : "+m"(batch.head[slot]));
      std::memcpy(&header, head, sizeof(header));
      asks = static_cast<uint32_t>(header.flags & kNetNeedsChecksum) | header.gso_type;
      constexpr NetHeader kPlain{0, 0, 0, 0, 0, 0, 1};
      std::memcpy(head, &kPlain, sizeof(kPlain));
    }
    if (__builtin_expect(asks != 0, 0)) batch.fault[slot] = admit(batch, slot, header);
    batch.tail[slot] = {at + in_head, 0, total > kHeadBytes ? 1u : 0u};
  }
}

inline bool TransmitRing::give_back(const Batch& batch, unsigned first, unsigned count) noexcept {
  for (unsigned i = 0; i < count; ++i) {
    write_used(i, batch.descriptor[first + i], 0);
  }
  return publish(static_cast<uint16_t>(count));
}

}  // namespace vhost
