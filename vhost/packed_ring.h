// The packed format of a virtqueue (virtio 1.2, 2.8), device side: one ring of descriptors that
// both sides write, our position in it, and the two directions of event suppression. A step is a
// descriptor; places are returned in the order they were taken, each chain at its first one.
//
// A descriptor is ours to read while its AVAIL bit is the wrap counter's and its USED bit is not.
// What it says is loaded once, the half with these bits first. How long a chain is and
// which buffer it is are settled when it is found, from one load of each descriptor's id and flags;
// when it is walked later, only addresses, lengths and directions are taken from what lies there
// then.
//
// A used descriptor is published by the store that writes it. What is returned at once is written
// from its end to its beginning, so that a driver, which looks for its next one alone, sees all of
// it or nothing (virtio 1.2, 2.8.21): one that polls does not take the lines away half written, and
// never finds a frame without its last buffers.
//
// Trust, threads and lifetime: see ring.h, whose part it is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>

#include "vhost/guest_memory.h"
#include "vhost/ring_format.h"

namespace vhost {

class PackedRing {
 public:
  // Whether the areas can be used (alignment: virtio 1.2, 2.8.10.1) and the position is inside the
  // ring. Returns an empty string, or why not.
  static std::string check(const RingAreas& areas, RingPosition position,
                           const GuestMemory& memory);
  // REQUIRES: checked.
  void place(const RingAreas& areas, RingPosition position, bool event_idx) noexcept;

  RingPosition position() const noexcept { return {avail_.packed(), used_.packed()}; }

  // How far the driver may be ahead of us, as far as one look tells.
  uint16_t available() const noexcept {
    return is_available(avail_.copy()) ? static_cast<uint16_t>(size_) : uint16_t{0};
  }
  // Whether the driver has ever made anything available: it writes the address of a descriptor, we
  // never do, and no buffer lies at 0.
  bool filled() const noexcept {
    return __atomic_load_n(&descriptors_[0].address, __ATOMIC_RELAXED) != 0;
  }
  // Any thread.
  void prefetch_available() const noexcept {
    prefetch(&descriptors_[avail_.at.load(std::memory_order_relaxed)]);
  }

  // Up to `count` chains, always as they follow each other: action(i, step, first descriptor) for
  // each, until it returns false.
  template <typename Action>
  [[gnu::always_inline]] HeadsRead read_heads(bool /*scattered*/, uint32_t count, Chain* chains,
                                              Action action) noexcept {
    // In locals: what is stored meanwhile could be one of them, as far as the compiler knows.
    const Descriptor* const descriptors = descriptors_;
    const uint32_t size = size_;
    uint32_t at = avail_.at.load(std::memory_order_relaxed);
    uint64_t state = available_state(avail_.wrap);
    HeadsRead read;
    prefetch_ahead(at, count);
    while (read.count < count) {
      const Descriptor* const here = &descriptors[at];
      const uint64_t tail = load_tail(here);
      if (read.steps >= size || (tail & kStateBits) != state) {
        read.dry = true;
        break;
      }
      const Descriptor first = complete(here, tail);
      Chain chain = {first.next, 1};
      if (__builtin_expect((first.flags & kDescNext) != 0, 0)) {
        if (!measure(at, size - read.steps, chain)) {
          read.fault = RingFault::chain_length;
          break;
        }
      }
      chains[read.count] = chain;
      if (!action(read.count, read.steps, first)) break;
      ++read.count;
      read.steps += chain.steps;
      at += chain.steps;
      if (at >= size) {
        at -= size;
        state ^= kStateBits;
      }
    }
    return read;
  }

  // Gets the descriptor `step` ahead on its way.
  void prefetch_chain(uint32_t step) const noexcept {
    Place here = avail_.copy();
    here.pass(step % size_, size_);
    prefetch_for_write(&descriptors_[here.at]);
  }
  // The chain `step` ahead, if it is available: fault `none` and no steps where there is none.
  RingFault head(uint32_t step, Head& head) const noexcept {
    head.chain = {0, 0};
    Place here = avail_.copy();
    here.pass(step, size_);
    const uint64_t tail = load_tail(&descriptors_[here.at]);
    if ((tail & kStateBits) != available_state(here.wrap)) return RingFault::none;
    head.first = complete(&descriptors_[here.at], tail);
    Chain chain = {head.first.next, 1};
    if ((head.first.flags & kDescNext) != 0 && !measure(here.at, size_ - step, chain)) {
      return RingFault::chain_length;
    }
    head.chain = chain;
    return RingFault::none;
  }
  // Unchecked, for prefetching alone: action(descriptor) for `count` descriptors.
  template <typename Action>
  void glance(uint32_t step, uint32_t count, Action action) const noexcept {
    Place here = avail_.copy();
    here.pass(step, size_);
    for (uint32_t i = 0; i < count; ++i) {
      action(read_packed(&descriptors_[here.at]));
      here.pass(1, size_);
    }
  }

  // Walks a chain of the ring itself; it is as long as it was when it was found.
  void start(ChainWalk& walk, const Head& head, uint32_t step) const noexcept {
    Place here = avail_.copy();
    here.pass(step, size_);
    walk = {head.first, descriptors_, size_, head.chain.steps - 1u, here.at};
  }
  // Every entry of an indirect table belongs to the chain (virtio 1.2, 2.8.8).
  static void start_table(ChainWalk& walk, const Descriptor* table, unsigned entries) noexcept {
    walk = {read_packed(table), table, entries, entries - 1, 0};
  }
  static Step next(ChainWalk& walk) noexcept {
    if (walk.left == 0) return Step::end;
    --walk.left;
    walk.at = walk.at + 1 == walk.size ? 0 : walk.at + 1;
    walk.link = read_packed(&walk.table[walk.at]);
    return Step::link;
  }

  static constexpr uint32_t steps(Chain chain) noexcept { return chain.steps; }
  // Past chains that were read.
  void advance(uint32_t steps) noexcept { avail_.pass(steps, size_); }

  void write_used(uint32_t step, Chain chain, uint32_t length) noexcept {
    Place here = used_.copy();
    here.pass(step, size_);
    store_tail(&descriptors_[here.at],
               used_state(here.wrap) | used_tail(chain, length, length != 0));
  }
  // Of `count` chains, `steps` long together, behind each other: length_of(i). `kWrote`: something
  // was written into each of them.
  template <bool kWrote, typename LengthOf>
  [[gnu::always_inline]] void write_all_used(const Chain* chains, uint32_t count, uint32_t steps,
                                             LengthOf length_of) noexcept {
    Descriptor* const descriptors = descriptors_;
    const uint32_t size = size_;
    Place end = used_.copy();
    const uint32_t begin = end.at;
    if (begin + steps <= size &&
        steps == count) {  // the usual case: one place each, no end between
      const uint64_t state = used_state(end.wrap);
      for (uint32_t i = count; i-- > 0;) {
        store_tail(&descriptors[begin + i], state | used_tail(chains[i], length_of(i), kWrote));
      }
      return;
    }
    end.pass(steps, size);
    uint32_t at = end.at;
    uint64_t state = used_state(end.wrap);
    for (uint32_t i = count; i-- > 0;) {
      const Chain chain = chains[i];
      if (at < chain.steps) {
        at += size;
        state ^= kStateBits;
      }
      at -= chain.steps;
      store_tail(&descriptors[at], state | used_tail(chain, length_of(i), kWrote));
    }
  }
  // Whether the driver wants an interrupt for what was returned (virtio 1.2, 2.8.14).
  bool publish(uint32_t steps) noexcept {
    used_.pass(steps, size_);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // used before the event is read
    return wants_interrupt(steps);
  }

  // Asks the driver for kicks from the next chain on. Follow it by a fence and another look.
  void enable_kicks() noexcept {
    const uint32_t event =
        event_idx_ ? avail_.packed() | uint32_t{kEventDescriptor} << 16 : uint32_t{kEventEnable};
    __atomic_store_n(device_event_, event, __ATOMIC_RELAXED);
  }
  void disable_kicks() noexcept {
    __atomic_store_n(device_event_, uint32_t{kEventDisable} << 16, __ATOMIC_RELAXED);
  }

  // What the calls above wrote is marked in the dirty log. REQUIRES: memory.logs().
  void log_published(const RegionCache& memory, uint32_t steps) const noexcept {
    const uint32_t end = used_.at.load(std::memory_order_relaxed);
    const uint32_t straight = std::min(steps, end);
    memory.log(&descriptors_[end - straight], straight * sizeof(Descriptor));
    const uint32_t wrapped = steps - straight;
    memory.log(&descriptors_[size_ - wrapped], wrapped * sizeof(Descriptor));
  }
  void log_kicks(const RegionCache& memory) const noexcept {
    memory.log(device_event_, sizeof(*device_event_));
  }

 private:
  static constexpr unsigned kLine = 64 / sizeof(Descriptor);
  static constexpr uint64_t kStateBits = uint64_t{kDescAvailable | kDescUsed} << 48;
  using Tail = uint64_t __attribute__((may_alias));
  using IdAndFlags = uint32_t __attribute__((may_alias));

  // A place in the ring with its wrap counter.
  struct Place {
    uint32_t at;
    bool wrap;
    // REQUIRES: steps <= size.
    void pass(uint32_t steps, uint32_t size) noexcept {
      at += steps;
      if (at >= size) {
        at -= size;
        wrap = !wrap;
      }
    }
  };
  // One that others may prefetch from.
  struct Position {
    std::atomic<uint16_t> at{0};
    bool wrap = true;
    Place copy() const noexcept { return {at.load(std::memory_order_relaxed), wrap}; }
    void pass(uint32_t steps, uint32_t size) noexcept {
      Place place = copy();
      place.pass(steps, size);
      at.store(static_cast<uint16_t>(place.at), std::memory_order_relaxed);
      wrap = place.wrap;
    }
    // With the wrap counter in bit 15, as events and vhost-user have it.
    uint16_t packed() const noexcept {
      return static_cast<uint16_t>(at.load(std::memory_order_relaxed) | (wrap ? kWrapBit : 0));
    }
    void unpack(uint16_t bits) noexcept {
      at.store(bits & (kWrapBit - 1), std::memory_order_relaxed);
      wrap = (bits & kWrapBit) != 0;
    }
  };

  // Flags are the last two bytes of a descriptor here, its id the two before: as if it were a split
  // one whose `next` is the id.
  static Descriptor read_packed(const Descriptor* from) noexcept {
    Descriptor link = read_descriptor(from);
    std::swap(link.flags, link.next);
    return link;
  }

  // The second half of a descriptor, eight aligned bytes: length, id and flags, which say whose it
  // is. One load looks for it and reads it, one store gives it back.
  static uint64_t load_tail(const Descriptor* from) noexcept {
    return __atomic_load_n(reinterpret_cast<const Tail*>(&from->length), __ATOMIC_ACQUIRE);
  }
  static void store_tail(Descriptor* to, uint64_t tail) noexcept {
    __atomic_store_n(reinterpret_cast<Tail*>(&to->length), tail, __ATOMIC_RELEASE);
  }
  static Descriptor complete(const Descriptor* from, uint64_t tail) noexcept {
    return {__atomic_load_n(&from->address, __ATOMIC_RELAXED), static_cast<uint32_t>(tail),
            static_cast<uint16_t>(tail >> 48), static_cast<uint16_t>(tail >> 32)};
  }
  static uint64_t used_tail(Chain chain, uint32_t length, bool wrote) noexcept {
    return length | uint64_t{chain.id} << 32 | (wrote ? uint64_t{kDescWrite} << 48 : 0);
  }
  // What the flags say of a descriptor that is available, or used, in this lap.
  static uint64_t available_state(bool wrap) noexcept {
    return uint64_t{wrap ? kDescAvailable : kDescUsed} << 48;
  }
  static uint64_t used_state(bool wrap) noexcept { return wrap ? kStateBits : 0; }
  bool is_available(const Place& here) const noexcept {
    return (load_tail(&descriptors_[here.at]) & kStateBits) == available_state(here.wrap);
  }

  // Gets the lines of the next `count` descriptors on their way, which are read and then written,
  // and the one that publish() reads. REQUIRES: count <= size.
  void prefetch_ahead(uint32_t at, uint32_t count) const noexcept {
    for (uint32_t place = at / kLine * kLine; place < at + count; place += kLine) {
      prefetch_for_write(&descriptors_[place < size_ ? place : place - size_]);
    }
    prefetch(driver_event_);
  }
  // How many descriptors the chain from `at` on has, and the id in its last one (virtio 1.2,
  // 2.8.6). False: more than `most`.
  bool measure(uint32_t at, uint32_t most, Chain& chain) const noexcept {
    for (uint32_t steps = 2; steps <= most; ++steps) {
      at = at + 1 == size_ ? 0 : at + 1;
      const auto* from = reinterpret_cast<const IdAndFlags*>(&descriptors_[at].flags);
      const uint32_t both = __atomic_load_n(from, __ATOMIC_RELAXED);
      if ((both >> 16 & kDescNext) != 0) continue;
      chain = {static_cast<uint16_t>(both), static_cast<uint16_t>(steps)};
      return true;
    }
    return false;
  }

  bool wants_interrupt(uint32_t steps) noexcept {
    const uint32_t event = __atomic_load_n(driver_event_, __ATOMIC_RELAXED);
    const unsigned mode = event >> 16 & 3u;
    if (mode == kEventDisable) return false;
    const bool first = !interrupted_;  // the driver may have waited since before we attached
    interrupted_ = true;
    if (first || !event_idx_ || mode != kEventDescriptor) return true;
    // How far the event's place lies behind our new one, counting once round the ring.
    const Place now = used_.copy();
    const bool wrap = (event & kWrapBit) != 0;
    const uint32_t at = event & (kWrapBit - 1u);
    const uint32_t behind = now.at + (wrap != now.wrap ? size_ : 0u) - at;
    return behind - 1u < steps;
  }

  Descriptor* descriptors_ = nullptr;
  const uint32_t* driver_event_ = nullptr;  // place and wrap counter, then flags
  uint32_t* device_event_ = nullptr;
  uint32_t size_ = 0;
  bool event_idx_ = false;
  bool interrupted_ = false;
  Position avail_;
  Position used_;
};

}  // namespace vhost
