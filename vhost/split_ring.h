// One split virtqueue (virtio 1.2, 2.7), device side: its place in guest memory, our position in
// it, and the two directions of event suppression. What a guest's transmit ring and a guest's
// receive ring have in common; taking and delivering frames are in transmit.h and receive.h.
//
// Lifetime: an object lives as long as its port. attach() fills it while it is stopped; the worker
// may touch it only while running() (checked once a turn); stop is announced by set_running(false)
// and is complete when every worker has passed a quiescent state.
//
// Trust: everything in guest memory may change at any moment. Indices and descriptors are loaded
// once into locals, checked, and only the locals are used.
//
// Threads: attach() by rte_vhost's thread while stopped; a transmit ring then belongs to its
// worker, a receive ring to whoever holds its lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "vhost/copy.h"
#include "vhost/guest_memory.h"
#include "vhost/offload.h"
#include "vhost/virtio.h"

namespace vhost {

// Why a ring was given up. It stays stopped until the driver sets it up again.
enum class RingFault : uint8_t {
  none,
  avail_index,    // the available index ran further ahead than the ring is long
  descriptor_id,  // an available entry names a descriptor that does not exist
};

struct RingAreas {
  const Descriptor* descriptors = nullptr;
  const AvailRing* avail = nullptr;
  UsedRing* used = nullptr;
  uint16_t size = 0;
};

struct RingPosition {
  uint16_t next_avail = 0;
  uint16_t next_used = 0;
};

class SplitRing {
 public:
  // Checks the three areas against the memory table (alignment: virtio 1.2, 2.7; extent with the
  // event index fields) and takes them over. Returns an empty string, or why not. REQUIRES:
  // stopped.
  std::string attach(const RingAreas& areas, RingPosition position, uint64_t features,
                     const GuestMemory& memory, int call_fd);

  bool running() const noexcept { return running_.load(std::memory_order_acquire); }
  void set_running(bool running) noexcept { running_.store(running, std::memory_order_release); }

  RingFault fault() const noexcept { return fault_.load(std::memory_order_relaxed); }
  RingPosition position() const noexcept { return {next_avail_, next_used_}; }
  int call_fd() const noexcept { return call_fd_; }
  uint16_t size() const noexcept { return size_; }

  // How many chains the driver has made available beyond our position. Stops the ring when the
  // index is impossible.
  uint16_t available() noexcept {
    const uint16_t index = __atomic_load_n(&avail_->index, __ATOMIC_ACQUIRE);
    const auto count = static_cast<uint16_t>(index - next_avail_);
    if (__builtin_expect(count > size_, 0)) {
      give_up(RingFault::avail_index);
      return 0;
    }
    return count;
  }

  void give_up(RingFault why) noexcept {
    fault_.store(why, std::memory_order_relaxed);
    set_running(false);
  }

  // Gets the lines on their way that giving back `count` chains writes, and the one publish()
  // reads.
  void prefetch_used(unsigned count) const noexcept {
    for (unsigned i = 0; i < count; i += 64 / sizeof(UsedElement)) {
      prefetch_for_write(&used_entries_[(next_used_ + i) & mask_]);
    }
    prefetch_for_write(&used_entries_[(next_used_ + count - 1) & mask_]);  // they start amid a line
    prefetch_for_write(&used_->index);
    if (event_idx_) prefetch(used_event_);
  }

  // One store of eight bytes; the entries are aligned to four.
  void write_used(unsigned ahead, uint32_t id, uint32_t length) noexcept {
    const uint64_t both = id | uint64_t{length} << 32;
    static_assert(sizeof(both) == sizeof(UsedElement));
    std::memcpy(&used_entries_[(next_used_ + ahead) & mask_], &both, sizeof(both));
  }

  // Publishes what was written into the used ring, and tells whether the driver wants an interrupt
  // (virtio 1.2, 2.7.10).
  bool publish(uint16_t count) noexcept {
    const uint16_t before = next_used_;
    next_used_ = static_cast<uint16_t>(next_used_ + count);
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

 protected:
  // One load of 16 bytes: what is checked afterwards is what was read.
  static Descriptor read_descriptor(const Descriptor* from) noexcept {
    Vector16 bits = load16(reinterpret_cast<const uint8_t*>(from));
    pin(bits);
    Descriptor copy;
    store16(reinterpret_cast<uint8_t*>(&copy), bits);
    return copy;
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
  bool indirect_ = false;
  bool mergeable_ = false;
  bool interrupted_ = false;
  uint8_t header_bytes_ = kNetHeaderBytes;
  uint8_t sends_ = 0;    // offload bits that the driver may ask for
  uint8_t accepts_ = 0;  // those that it takes
  std::atomic<bool> running_{false};
  std::atomic<RingFault> fault_{RingFault::none};
  int call_fd_ = -1;
  RegionCache memory_;
};

// For people.
const char* describe(RingFault fault) noexcept;

}  // namespace vhost
