// A guest's receive ring, as the switch fills it.
//
// Theory of operation. deliver() puts a list of frames of the batch into the guest's buffers, in
// stages like take(). The nearly universal case (one direct buffer that holds the whole frame) is
// one store of the head and one copy of the tail. From the first frame that does not fit that on,
// the rest of the list goes the careful way, which builds the list of pieces: chained or indirect
// buffers, a legacy header, and with VIRTIO_NET_F_MRG_RXBUF as many buffers as the frame needs
// (virtio 1.2, 5.1.6.4). Buffers are taken only when the frame fits: a frame that does not costs
// the guest that frame and nothing else.
//
// A frame that asks for an offload which this driver did not negotiate goes the careful way too:
// its checksum is completed, or it is cut (receive_offload.h). Each frame of a segment that is cut
// is a delivery of its own; the first that finds no room takes the rest of its segment with it.
//
// A delivery walks at most kLinksPerDelivery links and one frame's more, whatever the guest makes
// of its buffers: frames beyond that find no buffer. Others wait no longer for a hostile receiver.
//
// Threads: several workers deliver to one ring, so the lock is taken once for each list. It is
// never held across anything but copying.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <span>

#include "vhost/batch.h"
#include "vhost/buffer_order.h"
#include "vhost/copy.h"
#include "vhost/frame_limit.h"
#include "vhost/frame_reader.h"
#include "vhost/offload.h"
#include "vhost/piece_writer.h"
#include "vhost/ring.h"
#include "vhost/segmenter.h"

namespace vhost {

// What became of the frames of one list: attempted = delivered + no_guest + no_buffer + too_small +
// malformed + oversize. That is the length of the list, and for each segment that was cut one less
// than the frames it makes.
struct Delivery {
  uint32_t attempted = 0;
  uint32_t delivered = 0;
  uint32_t no_guest = 0;
  uint32_t no_buffer = 0;
  uint32_t too_small = 0;
  uint32_t malformed = 0;
  uint32_t oversize = 0;
  uint32_t completed = 0;   // frames whose checksum was completed here
  uint32_t whole = 0;       // segments delivered as they were
  uint32_t whole_long = 0;  // of these, longer than kLongSegmentBytes
  uint32_t cut = 0;         // segments cut here, of which at least one frame was delivered
  uint32_t cut_into = 0;    // frames delivered of these
  uint32_t tally = 0;       // sum of `tallies` of the delivered frames
  uint64_t bytes = 0;       // delivered, without headers
  bool interrupt = false;
};

class ReceiveRing : public Ring {
 public:
  static constexpr uint32_t kLongSegmentBytes = 60 * 1024;
  // Frames of one delivery, at the most: callers add up classes of frames in ten bits.
  static constexpr uint32_t kMostDelivered = 1023;

  // REQUIRES: stopped.
  void limit_frames(const FrameLimit& limit) noexcept { limit_ = limit; }

  // `tallies[slot]` is added up over what was delivered; its meaning is the caller's.
  Delivery deliver(const Batch& batch, std::span<const uint16_t> slots,
                   const uint32_t* tallies) noexcept;

  // Gets the lines that deliver() starts with on their way. Any thread: nothing is written.
  void prefetch_for_delivery() const noexcept {
    prefetch_for_write(&lock_);
    if (!running()) return;
    is_packed_ ? packed_.prefetch_available() : split_.prefetch_available();
  }

 private:
  static constexpr unsigned kMostPieces = kMaxRingSize + GuestMemory::kMaxRegions;
  // A segment of 64 KiB lies in that many pages.
  static constexpr uint32_t kBuffersAhead = 16;
  // A ring of 256 buffers in 20 indirect links each stays below it.
  static constexpr unsigned kLinksPerDelivery = 8192;

  struct Stage {
    Chain chain[Batch::kCapacity];
    uint8_t* at[Batch::kCapacity];
  };
  struct Used {
    uint32_t step;
    Chain chain;
    uint32_t length;
  };
  // Where one frame goes, piece by piece.
  struct Plan {
    uint32_t buffers = 0;
    uint32_t steps = 0;
    uint32_t pieces = 0;
    uint32_t walked = 0;  // links, of all plans of a delivery
    uint32_t noted = 0;   // used chains, likewise
    bool direct = true;   // the last plan began with a buffer of one descriptor
    Used used[kMaxRingSize];
    uint64_t capacity = 0;
    Chain chain[kMaxRingSize];
    uint32_t buffer_capacity[kMaxRingSize];
    Piece piece[kMostPieces];
  };
  enum class Outcome : uint8_t { delivered, no_buffer, too_small, malformed };
  // A delivery on the careful way.
  struct Careful {
    const Batch& batch;
    uint32_t available;  // steps
    uint32_t taken;      // steps
    Delivery& result;
    Plan& plan;
    uint64_t hopeless = UINT64_MAX;  // bytes for which all that was left did not suffice
  };

  class Guard {
   public:
    explicit Guard(std::atomic<bool>& lock) noexcept : lock_(lock) {
      while (lock_.exchange(true, std::memory_order_acquire)) {
        while (lock_.load(std::memory_order_relaxed)) __builtin_ia32_pause();
      }
    }
    ~Guard() { lock_.store(false, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::atomic<bool>& lock_;
  };

  // kLogs: the VM migrates. Asked once a delivery: the stages are compiled without a thought of it.
  template <bool kLogs, class Format>
  Delivery deliver_to(Format& format, const Batch& batch, std::span<const uint16_t> slots,
                      const uint32_t* tallies) noexcept;
  Delivery deliver_packed(const Batch& batch, std::span<const uint16_t> slots,
                          const uint32_t* tallies) noexcept;
  template <class Format>
  HeadsRead prepare(Format& format, const Batch& batch, std::span<const uint16_t> slots,
                    uint32_t count, Stage& stage) noexcept;
  template <class Format>
  void fill(Format& format, const Batch& batch, std::span<const uint16_t> slots, const Stage& stage,
            const uint32_t* tallies, Delivery& result) noexcept;
  void log_filled(const Batch& batch, std::span<const uint16_t> slots,
                  const Stage& stage) const noexcept;
  void log_planned(const Plan& where, uint64_t length) const noexcept;
  void prefetch_chains(uint32_t taken, uint32_t count) noexcept;
  uint32_t fill_carefully(const Batch& batch, std::span<const uint16_t> slots, uint32_t taken,
                          uint32_t available, const uint32_t* tallies, Delivery& result) noexcept;
  void put_carefully(Careful& work, unsigned slot, uint32_t tally) noexcept;
  void cut(Careful& work, unsigned slot, uint32_t tally) noexcept;
  bool find_room(Careful& work, uint32_t length, uint32_t fates) noexcept;
  void claim(Careful& work, uint32_t length, uint32_t tally) noexcept;
  void use(Careful& work, Chain chain, uint32_t length) noexcept {
    note_used(work.plan, work.taken, chain, length);
    work.taken += chain.steps;
  }
  void note_used(Plan& plan, uint32_t step, Chain chain, uint32_t length) noexcept;
  void write_noted(const Plan& plan) noexcept;
  Outcome plan(uint32_t taken, uint32_t available, uint64_t need, Plan& out) noexcept;
  void plan_direct(uint32_t taken, uint32_t available, uint64_t need, Plan& out) noexcept;
  bool add_buffer(const Head& head, uint32_t step, Plan& out) noexcept;
  void write(const Batch& batch, unsigned slot, const Plan& where) const noexcept;
  void write_completed(const Batch& batch, unsigned slot, const Plan& where) const noexcept;

  uint8_t missing(const Batch& batch, unsigned slot) const noexcept {
    return batch.any_needs ? batch.needs[slot] & static_cast<uint8_t>(~accepts_) : uint8_t{0};
  }
  uint32_t count_whole(const Batch& batch, std::span<const uint16_t> slots) const noexcept;
  static void note_segment(const Batch& batch, unsigned slot, Delivery& result) noexcept;

  FrameLimit limit_;
  alignas(64) std::atomic<bool> lock_{false};
};

// Frame bytes beyond the head, contiguous in the receiver.
[[gnu::always_inline]] inline void copy_tail(uint8_t* to, const Batch& batch,
                                             unsigned slot) noexcept {
  const Tail& tail = batch.tail[slot];
  const uint32_t length = batch.length[slot] - kHeadFrameBytes;
  if (__builtin_expect(tail.segments == 1, 1)) return copy_bytes(to, tail.data, length);
  for (uint32_t i = 0; i < tail.segments; ++i) {
    const Segment& piece = batch.segments[tail.first + i];
    copy_bytes(to, piece.data, piece.length);
    to += piece.length;
  }
}

inline Delivery ReceiveRing::deliver(const Batch& batch, std::span<const uint16_t> slots,
                                     const uint32_t* tallies) noexcept {
  const Guard guard(lock_);
  if (!running()) {
    Delivery result;
    result.attempted = result.no_guest = static_cast<uint32_t>(slots.size());
    return result;
  }
  if (__builtin_expect(is_packed_, 0)) return deliver_packed(batch, slots, tallies);
  if (memory_.logs()) return deliver_to<true>(split_, batch, slots, tallies);
  return deliver_to<false>(split_, batch, slots, tallies);
}

// Of its own, that the other format's way stays as short as it is.
[[gnu::noinline]] inline Delivery ReceiveRing::deliver_packed(const Batch& batch,
                                                              std::span<const uint16_t> slots,
                                                              const uint32_t* tallies) noexcept {
  if (memory_.logs()) return deliver_to<true>(packed_, batch, slots, tallies);
  return deliver_to<false>(packed_, batch, slots, tallies);
}

template <bool kLogs, class Format>
inline Delivery ReceiveRing::deliver_to(Format& format, const Batch& batch,
                                        std::span<const uint16_t> slots,
                                        const uint32_t* tallies) noexcept {
  Delivery result;
  const auto wanted = static_cast<uint32_t>(slots.size());
  result.attempted = wanted;
  uint32_t have = available_in(format);  // steps
  const bool plain = !batch.any_needs;
  const uint32_t simple = plain ? wanted : count_whole(batch, slots);
  Stage stage;
  const HeadsRead staged = prepare(format, batch, slots, std::min(simple, have), stage);
  uint32_t taken = staged.steps;
  if (staged.dry) have = taken;
  fill(format, batch, slots.first(taken), stage, tallies, result);
  if constexpr (kLogs) log_filled(batch, slots.first(taken), stage);
  if (__builtin_expect(!plain, 0)) {
    for (const uint16_t slot : slots.first(taken)) note_segment(batch, slot, result);
  }
  if (taken < wanted && taken < have && running()) {
    taken = fill_carefully(batch, slots.subspan(taken), taken, have, tallies, result);
  } else {
    result.no_buffer = wanted - taken;
  }
  if (taken == 0) return result;
  format.advance(taken);
  result.interrupt = format.publish(taken);
  if constexpr (kLogs) format.log_published(memory_, taken);
  return result;
}

// Reads heads of `count` buffers, one for each frame, up to the first that does not hold its frame
// whole in one piece. Those that do are one step long each.
template <class Format>
inline HeadsRead ReceiveRing::prepare(Format& format, const Batch& batch,
                                      std::span<const uint16_t> slots, uint32_t count,
                                      Stage& stage) noexcept {
  if (header_bytes_ != kNetHeaderBytes) return {};
  const uint32_t most = kNetHeaderBytes + limit_.least();
  const auto look = [&](unsigned i, uint32_t, const Descriptor& buffer) {
    const uint32_t need = batch.length[slots[i]] + kNetHeaderBytes;
    constexpr uint16_t kShape = kDescNext | kDescWrite | kDescIndirect;
    if (__builtin_expect(
            (buffer.flags & kShape) != kDescWrite || std::min(buffer.length, most) < need, 0)) {
      return false;
    }
    uint8_t* at = memory_.translate(buffer.address, buffer.length);
    if (__builtin_expect(at == nullptr, 0)) return false;
    stage.at[i] = at;
    prefetch_for_write(at);
    prefetch_for_write(at + 64);
    return true;
  };
  const HeadsRead read = format.read_heads(!batch.any_tails, count, stage.chain, look);
  if (__builtin_expect(read.fault != RingFault::none, 0)) give_up(read.fault);
  return read;
}

template <class Format>
inline void ReceiveRing::fill(Format& format, const Batch& batch, std::span<const uint16_t> slots,
                              const Stage& stage, const uint32_t* tallies,
                              Delivery& result) noexcept {
  uint64_t bytes = 0;
  uint32_t tally = 0;
  const auto count = static_cast<uint32_t>(slots.size());
  in_buffer_order(!batch.any_tails, count, [&](uint32_t i) {
    const unsigned slot = slots[i];
    const uint32_t length = batch.length[slot];
    const uint32_t total = length + kNetHeaderBytes;
    uint8_t* at = stage.at[i];
    copy_up_to_128(at, batch.head[slot].data(), std::min<uint32_t>(total, kHeadBytes));
    if (total > kHeadBytes) copy_tail(at + kHeadBytes, batch, slot);
    bytes += length;
    tally += tallies[slot];
  });
  // Not while the buffers are filled: a driver's CPU fetches ahead of the entries that it reads,
  // and takes away again and again a line that is written bit by bit.
  format.template write_all_used<true>(stage.chain, count, count, [&](uint32_t i) {
    return batch.length[slots[i]] + kNetHeaderBytes;
  });
  result.delivered += count;
  result.bytes += bytes;
  result.tally += tally;
}

// `slots` are what is left; `taken` steps of `available` are used already. Returns `taken` anew.
inline uint32_t ReceiveRing::fill_carefully(const Batch& batch, std::span<const uint16_t> slots,
                                            uint32_t taken, uint32_t available,
                                            const uint32_t* tallies, Delivery& result) noexcept {
  prefetch_chains(taken,
                  std::min<uint32_t>(available - taken, static_cast<uint32_t>(slots.size())));
  Plan where;
  Careful work{batch, available, taken, result, where};
  for (const uint16_t slot : slots) {
    if (__builtin_expect(!limit_.allows(batch, slot), 0)) {
      ++result.oversize;
    } else if ((missing(batch, slot) & offload::kSegments) != 0) {
      cut(work, slot, tallies[slot]);
    } else {
      put_carefully(work, slot, tallies[slot]);
    }
  }
  write_noted(where);
  return work.taken;
}

inline void ReceiveRing::put_carefully(Careful& work, unsigned slot, uint32_t tally) noexcept {
  const uint32_t length = work.batch.length[slot];
  if (!find_room(work, length, 1)) return;
  if (missing(work.batch, slot) != 0) {
    write_completed(work.batch, slot, work.plan);
    ++work.result.completed;
  } else {
    write(work.batch, slot, work.plan);
    note_segment(work.batch, slot, work.result);
  }
  claim(work, length, tally);
}

// Plans the buffers of a frame. False: there are none, which is the fate of `fates` frames.
inline bool ReceiveRing::find_room(Careful& work, uint32_t length, uint32_t fates) noexcept {
  if (__builtin_expect(work.result.delivered >= kMostDelivered, 0)) {
    work.result.no_buffer += fates;
    return false;
  }
  Plan& where = work.plan;
  const uint64_t need = uint64_t{length} + header_bytes_;
  // Buffers are walked in vain once, not for each frame that is no shorter.
  const Outcome outcome =
      need >= work.hopeless ? Outcome::no_buffer : plan(work.taken, work.available, need, where);
  if (outcome == Outcome::delivered) return true;
  if (outcome == Outcome::no_buffer) work.hopeless = std::min(work.hopeless, need);
  work.result.no_buffer += outcome == Outcome::no_buffer ? fates : 0;
  work.result.too_small += outcome == Outcome::too_small ? fates : 0;
  if (outcome != Outcome::malformed) return false;
  work.result.malformed += fates;
  // Given back empty, or the ring would be stuck at them for ever.
  for (uint32_t i = 0; i < where.buffers; ++i) use(work, where.chain[i], 0);
  return false;
}

// The planned buffers hold a frame of this length.
inline void ReceiveRing::claim(Careful& work, uint32_t length, uint32_t tally) noexcept {
  Plan& where = work.plan;
  const uint64_t need = uint64_t{length} + header_bytes_;
  uint64_t left = need;
  for (uint32_t i = 0; i < where.buffers; ++i) {
    const uint64_t part = std::min<uint64_t>(left, where.buffer_capacity[i]);
    use(work, where.chain[i], static_cast<uint32_t>(part));
    left -= part;
  }
  if (memory_.logs()) log_planned(where, need);
  ++work.result.delivered;
  work.result.bytes += length;
  work.result.tally += tally;
}

inline void ReceiveRing::write(const Batch& batch, unsigned slot,
                               const Plan& where) const noexcept {
  PieceWriter to(where.piece);
  NetHeader header;
  std::memcpy(&header, batch.head[slot].data(), sizeof(header));
  header.buffer_count = static_cast<uint16_t>(where.buffers);
  to.put(reinterpret_cast<const uint8_t*>(&header), header_bytes_);
  FrameReader frame(batch, slot);
  frame.read(batch.length[slot], [&to](const uint8_t* from, size_t part) { to.put(from, part); });
}

}  // namespace vhost

#include "vhost/receive_log.h"  // the rest of ReceiveRing
#include "vhost/receive_offload.h"
#include "vhost/receive_plan.h"
