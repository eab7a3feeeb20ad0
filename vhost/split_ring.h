// The split format of a virtqueue (virtio 1.2, 2.7), device side: its place in guest memory, our
// position in it, and the two directions of event suppression. A step is an entry of the available
// ring, and of the used ring.
//
// Trust, threads and lifetime: see ring.h, whose part it is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "vhost/buffer_order.h"
#include "vhost/guest_memory.h"
#include "vhost/ring_format.h"

namespace vhost {

class SplitRing {
 public:
  // Whether the areas can be used (alignment: virtio 1.2, 2.7; extent with the event index fields).
  // Returns an empty string, or why not.
  static std::string check(const RingAreas& areas, bool event_idx, const GuestMemory& memory);
  // REQUIRES: checked.
  void place(const RingAreas& areas, RingPosition position, bool event_idx) noexcept;

  RingPosition position() const noexcept { return {next_avail_, next_used_}; }

  // How far the driver is ahead of us. More than the ring is long: its index is impossible.
  uint16_t available() const noexcept {
    return static_cast<uint16_t>(__atomic_load_n(&avail_->index, __ATOMIC_ACQUIRE) - next_avail_);
  }
  // Whether the driver has ever made anything available, but for the moment when its index is 0
  // again.
  bool filled() const noexcept { return __atomic_load_n(&avail_->index, __ATOMIC_RELAXED) != 0; }
  // What a burst looks at first. Any thread.
  void prefetch_available() const noexcept {
    constexpr uint32_t kPerLine = 64 / sizeof(uint16_t);
    prefetch(avail_);
    const uint32_t next = __atomic_load_n(&next_avail_, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < 3 * kPerLine; i += kPerLine) {
      prefetch(&avail_entries_[(next + i) & mask_]);
    }
  }

  // The next `count` chains (REQUIRES: that many are available), in two stages: ids, while the
  // descriptors and what returning them writes is on its way; then action(i, step, descriptor) for
  // each, in the order of in_buffer_order(). What counts ends before the first for which it returns
  // false; chains behind that one may have been shown to it all the same.
  template <typename Action>
  [[gnu::always_inline]] HeadsRead read_heads(bool scattered, uint32_t count, Chain* chains,
                                              Action action) noexcept {
    // In locals: what is stored meanwhile could be one of them, as far as the compiler knows.
    const Descriptor* const descriptors = descriptors_;
    const uint16_t* const entries = avail_entries_;
    const uint32_t mask = mask_;
    const uint32_t next = next_avail_;
    const uint16_t size = size_;
    HeadsRead read;
    for (uint32_t i = 0; i < count; ++i) {
      const uint16_t id = __atomic_load_n(&entries[(next + i) & mask], __ATOMIC_RELAXED);
      if (__builtin_expect(id >= size, 0)) {
        read.fault = RingFault::descriptor_id;
        count = i;
        break;
      }
      chains[i] = {id, 1};
      prefetch(&descriptors[id]);
    }
    prefetch_used(count);
    in_buffer_order(scattered, count, [&](uint32_t i) {
      if (__builtin_expect(i >= count, 0)) return;
      if (!action(i, i, read_descriptor(&descriptors[chains[i].id]))) count = i;
    });
    read.count = count;
    read.steps = count;
    return read;
  }

  // Chains from `step` on, `count` at the most (REQUIRES: that many are available), while
  // action(chain, descriptor) says so. The lines that returning them writes are on their way then.
  template <typename Action>
  [[gnu::always_inline]] RingFault walk_heads(uint32_t step, uint32_t count,
                                              Action action) const noexcept {
    constexpr uint32_t kLine = 64 / sizeof(UsedElement);
    const Descriptor* const descriptors = descriptors_;
    const uint16_t* const entries = avail_entries_;
    UsedElement* const used = used_entries_;
    const uint32_t mask = mask_;
    const uint32_t next = next_avail_ + step;
    const uint32_t next_used = next_used_ + step;
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t id = __atomic_load_n(&entries[(next + i) & mask], __ATOMIC_RELAXED);
      if (__builtin_expect(id > mask, 0)) return RingFault::descriptor_id;
      if (i % kLine == 0) prefetch_for_write(&used[(next_used + i) & mask]);
      if (!action(Chain{static_cast<uint16_t>(id), 1}, read_descriptor(&descriptors[id]))) break;
    }
    return RingFault::none;
  }

  // Gets the descriptor of the chain `step` ahead on its way, if there is one.
  void prefetch_chain(uint32_t step) const noexcept {
    prefetch(&descriptors_[std::min<uint32_t>(id_at(step), mask_)]);
  }
  // The chain `step` ahead. REQUIRES: it is available.
  RingFault head(uint32_t step, Head& head) const noexcept {
    head.chain = {id_at(step), 1};
    if (head.chain.id >= size_) return RingFault::descriptor_id;
    head.first = read_descriptor(&descriptors_[head.chain.id]);
    return RingFault::none;
  }
  // Unchecked, for prefetching alone: action(descriptor) for `count` chains.
  template <typename Action>
  void glance(uint32_t step, uint32_t count, Action action) const noexcept {
    for (uint32_t i = 0; i < count; ++i) prefetch_chain(step + i);
    for (uint32_t i = 0; i < count; ++i) {
      action(read_descriptor(&descriptors_[std::min<uint32_t>(id_at(step + i), mask_)]));
    }
  }

  // Walks a chain of the ring's own table from its first descriptor on.
  void start(ChainWalk& walk, const Head& head, uint32_t /*step*/) const noexcept {
    walk = {head.first, descriptors_, size_, size_ - 1u, 0};
  }
  static void start_table(ChainWalk& walk, const Descriptor* table, unsigned entries) noexcept {
    walk = {read_descriptor(table), table, entries, entries - 1, 0};
  }
  static Step next(ChainWalk& walk) noexcept {
    if ((walk.link.flags & kDescNext) == 0) return Step::end;
    if (walk.left == 0 || walk.link.next >= walk.size) return Step::broken;
    --walk.left;
    walk.link = read_descriptor(&walk.table[walk.link.next]);
    return Step::link;
  }

  static constexpr uint32_t steps(Chain) noexcept { return 1; }
  // Past chains that were read.
  void advance(uint32_t steps) noexcept {
    __atomic_store_n(&next_avail_, static_cast<uint16_t>(next_avail_ + steps), __ATOMIC_RELAXED);
  }
  // One store of eight bytes; the entries are aligned to four.
  void write_used(uint32_t step, Chain chain, uint32_t length) noexcept {
    const uint64_t both = chain.id | uint64_t{length} << 32;
    static_assert(sizeof(both) == sizeof(UsedElement));
    std::memcpy(&used_entries_[(next_used_ + step) & mask_], &both, sizeof(both));
  }
  // Of `count` chains behind each other: length_of(i). `kWrote` and the number of steps are the
  // packed format's.
  template <bool kWrote, typename LengthOf>
  [[gnu::always_inline]] void write_all_used(const Chain* chains, uint32_t count,
                                             uint32_t /*steps*/, LengthOf length_of) noexcept {
    UsedElement* const used = used_entries_;  // in locals, as above
    const uint32_t next = next_used_;
    const uint32_t mask = mask_;
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t both = chains[i].id | uint64_t{length_of(i)} << 32;
      std::memcpy(&used[(next + i) & mask], &both, sizeof(both));
    }
  }
  // Publishes what was written into the used ring, and tells whether the driver wants an interrupt
  // (virtio 1.2, 2.7.10).
  bool publish(uint32_t steps) noexcept {
    const uint16_t before = next_used_;
    next_used_ = static_cast<uint16_t>(next_used_ + steps);
    __atomic_store_n(&used_->index, next_used_, __ATOMIC_RELEASE);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // index out before the event is read
    return wants_interrupt(before);
  }

  // Asks the driver for kicks from the next chain on. Follow it by a fence and another look.
  void enable_kicks() noexcept {
    if (event_idx_) {
      __atomic_store_n(avail_event_, next_avail_, __ATOMIC_RELAXED);
    } else {
      __atomic_store_n(&used_->flags, uint16_t{0}, __ATOMIC_RELAXED);
    }
  }
  // With event indices there is nothing to do: the event stays behind and is passed once.
  void disable_kicks() noexcept {
    if (!event_idx_) __atomic_store_n(&used_->flags, kUsedNoNotify, __ATOMIC_RELAXED);
  }

  // What the calls above wrote is marked in the dirty log. REQUIRES: memory.logs().
  void log_published(const RegionCache& memory, uint32_t steps) const noexcept {
    const auto first = static_cast<uint16_t>((next_used_ - steps) & mask_);
    const uint32_t straight = std::min<uint32_t>(steps, uint32_t{size_} - first);
    memory.log(&used_entries_[first], straight * sizeof(UsedElement));
    memory.log(&used_entries_[0], (steps - straight) * sizeof(UsedElement));
    memory.log(&used_->index, sizeof(used_->index));
  }
  void log_kicks(const RegionCache& memory) const noexcept {
    memory.log(&used_->flags, sizeof(used_->flags));
    if (event_idx_) memory.log(avail_event_, sizeof(*avail_event_));
  }

 private:
  uint16_t id_at(uint32_t step) const noexcept {
    return __atomic_load_n(&avail_entries_[(next_avail_ + step) & mask_], __ATOMIC_RELAXED);
  }

  // Gets the lines on their way that returning `count` chains writes, and the one publish() reads.
  void prefetch_used(uint32_t count) const noexcept {
    constexpr uint32_t kPerLine = 64 / sizeof(UsedElement);
    const uint32_t amid = next_used_ % kPerLine;  // a line may have been begun
    const uint32_t start = next_used_ - amid;
    in_buffer_order(true, (amid + count + kPerLine - 1) / kPerLine, [&](uint32_t line) {
      prefetch_for_write(&used_entries_[(start + line * kPerLine) & mask_]);
    });
    prefetch_for_write(&used_->index);
    if (event_idx_) prefetch(used_event_);
  }

  bool wants_interrupt(uint16_t before) noexcept {
    if (!event_idx_) {
      return (__atomic_load_n(&avail_->flags, __ATOMIC_RELAXED) & kAvailNoInterrupt) == 0;
    }
    const uint16_t event = __atomic_load_n(used_event_, __ATOMIC_RELAXED);
    const bool passed =
        static_cast<uint16_t>(next_used_ - event - 1) < static_cast<uint16_t>(next_used_ - before);
    const bool first = !interrupted_;  // the driver may have waited since before we attached
    interrupted_ = true;
    return passed || first;
  }

  const Descriptor* descriptors_ = nullptr;
  const AvailRing* avail_ = nullptr;
  UsedRing* used_ = nullptr;
  const uint16_t* avail_entries_ = nullptr;
  UsedElement* used_entries_ = nullptr;
  const uint16_t* used_event_ = nullptr;  // written by the driver, at the end of its area
  uint16_t* avail_event_ = nullptr;       // written by us, at the end of ours
  uint16_t size_ = 0;
  uint16_t mask_ = 0;
  uint16_t next_avail_ = 0;
  uint16_t next_used_ = 0;
  bool event_idx_ = false;
  bool interrupted_ = false;
};

}  // namespace vhost
