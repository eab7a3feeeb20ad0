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
#include "vhost/ring.h"

namespace vhost {

class TransmitRing : public Ring {
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
    const uint8_t* at[kBurst];  // host address of a simple frame's header; nullptr for the others
    // Of the others:
    Descriptor first[kBurst];
    uint32_t step[kBurst];
  };

  template <class Format>
  unsigned take_from(Format& format, Batch& batch, unsigned limit) noexcept;
  template <class Format>
  HeadsRead read_heads(Format& format, Batch& batch, Burst& burst, unsigned count) noexcept;
  unsigned take_packed(Batch& batch, unsigned limit) noexcept;
  unsigned gather_chains(Batch& batch, Burst& burst, unsigned count) noexcept;
  void copy_heads(Batch& batch, const Burst& burst, unsigned count) noexcept;
  template <class Format>
  bool give_back_to(Format& format, const Batch& batch, unsigned first, unsigned count) noexcept;

  FrameFault gather(Batch& batch, unsigned slot, const Descriptor& first, uint32_t step,
                    unsigned& walked) noexcept;
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
  if (__builtin_expect(is_packed_, 0)) return take_packed(batch, limit);
  return take_from(split_, batch, limit);
}

// Of its own, that the other format's way stays as short as it is.
[[gnu::noinline]] inline unsigned TransmitRing::take_packed(Batch& batch, unsigned limit) noexcept {
  return take_from(packed_, batch, limit);
}

template <class Format>
inline unsigned TransmitRing::take_from(Format& format, Batch& batch, unsigned limit) noexcept {
  const unsigned most = std::min<unsigned>(available_in(format), limit);
  if (most == 0) return 0;
  Burst burst;
  const HeadsRead read = read_heads(format, batch, burst, most);
  const unsigned count = gather_chains(batch, burst, read.count);
  copy_heads(batch, burst, count);
  format.advance(count == read.count ? read.steps : burst.step[count]);
  batch.count += count;
  return count;
}

template <class Format>
inline HeadsRead TransmitRing::read_heads(Format& format, Batch& batch, Burst& burst,
                                          unsigned count) noexcept {
  constexpr uint16_t kSpecial = kDescNext | kDescWrite | kDescIndirect;
  constexpr uint32_t kLeast = kNetHeaderBytes + kEthernetHeaderBytes;
  const uint32_t most = kNetHeaderBytes + limit_.least();  // longer ones go the careful way
  const bool long_header = header_bytes_ == kNetHeaderBytes;
  const auto look = [&](unsigned i, uint32_t step, const Descriptor& link) {
    const bool simple =
        (link.flags & kSpecial) == 0 && link.length - kLeast <= most - kLeast && long_header;
    const uint8_t* at = nullptr;
    if (__builtin_expect(simple, 1)) {
      at = memory_.translate(link.address, link.length);
      prefetch(at);
      prefetch(at + 64);
      batch.length[batch.count + i] = link.length - kNetHeaderBytes;
    } else if ((link.flags & kDescIndirect) != 0) {
      prefetch(memory_.translate(link.address, link.length));
    }
    burst.at[i] = at;
    if (at == nullptr) {
      burst.first[i] = link;
      burst.step[i] = step;
    }
    return true;
  };
  const HeadsRead read = format.read_heads(false, count, &batch.chain[batch.count], look);
  if (__builtin_expect(read.fault != RingFault::none, 0)) give_up(read.fault);
  return read;
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
    batch.fault[slot] = gather(batch, slot, burst.first[i], burst.step[i], walked);
    bytes += batch.length[slot];
  }
  return count;
}

// Collects the chain's pieces behind segments_used, without claiming them.
inline FrameFault TransmitRing::gather(Batch& batch, unsigned slot, const Descriptor& first,
                                       uint32_t step, unsigned& walked) noexcept {
  batch.tail[slot] = {nullptr, batch.segments_used, 0};
  batch.length[slot] = 0;
  ChainWalk walk;
  if (!start_walk(walk, {batch.chain[slot], first}, step)) return FrameFault::malformed;
  const uint32_t limit = batch.segments_used + kFrameSegments;
  uint64_t total = 0;
  uint32_t end = batch.segments_used;
  for (Step next = Step::link; next != Step::end; next = next_link(walk)) {
    ++walked;
    if (next == Step::broken) return FrameFault::malformed;
    if ((walk.link.flags & (kDescWrite | kDescIndirect)) != 0) return FrameFault::malformed;
    std::swap(batch.segments_used, end);
    const bool mapped = append(batch, limit, walk.link);
    std::swap(batch.segments_used, end);
    if (!mapped) return FrameFault::malformed;
    total += walk.link.length;
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
  bool tails = batch.any_tails;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned slot = batch.count + i;
    const uint8_t* at = burst.at[i];
    if (__builtin_expect(at == nullptr, 0)) {
      if (batch.fault[slot] == FrameFault::none) batch.fault[slot] = assemble(batch, slot);
      tails |= batch.tail[slot].segments != 0;
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
    const bool has_tail = total > kHeadBytes;
    batch.tail[slot] = {at + in_head, 0, has_tail ? 1u : 0u};
    tails |= has_tail;
  }
  batch.any_tails = tails;
}

inline bool TransmitRing::give_back(const Batch& batch, unsigned first, unsigned count) noexcept {
  if (__builtin_expect(is_packed_, 0)) return give_back_to(packed_, batch, first, count);
  return give_back_to(split_, batch, first, count);
}

template <class Format>
inline bool TransmitRing::give_back_to(Format& format, const Batch& batch, unsigned first,
                                       unsigned count) noexcept {
  const Chain* const chains = &batch.chain[first];
  uint32_t steps = 0;
  for (unsigned i = 0; i < count; ++i) steps += Format::steps(chains[i]);
  format.template write_all_used<false>(chains, count, steps, [](uint32_t) { return 0u; });
  return publish_in(format, steps);
}

}  // namespace vhost
