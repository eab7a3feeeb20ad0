// One virtqueue, device side: what a guest's transmit ring and a guest's receive ring have in
// common, whatever their format. Taking and delivering frames are in transmit.h and receive.h.
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

#include "vhost/guest_memory.h"
#include "vhost/packed_ring.h"
#include "vhost/ring_format.h"
#include "vhost/split_ring.h"
#include "vhost/virtio.h"

namespace vhost {

class Ring {
 public:
  // Checks the three areas against the memory table and takes them over. Returns an empty string,
  // or why not. REQUIRES: stopped.
  std::string attach(const RingAreas& areas, RingPosition position, uint64_t features,
                     const GuestMemory& memory, int call_fd);

  bool running() const noexcept { return running_.load(std::memory_order_acquire); }
  void set_running(bool running) noexcept { running_.store(running, std::memory_order_release); }

  RingFault fault() const noexcept { return fault_.load(std::memory_order_relaxed); }
  RingPosition position() const noexcept {
    return is_packed_ ? packed_.position() : split_.position();
  }
  int call_fd() const noexcept { return call_fd_; }
  uint16_t size() const noexcept { return size_; }

  // How many steps the driver has gone beyond our position, at the most; 0: there is no chain.
  // Stops the ring when its index is impossible.
  uint16_t available() noexcept {
    return is_packed_ ? available_in(packed_) : available_in(split_);
  }

  // The driver has made something available at some time: a driver with fewer queues than the
  // device never fills the others, and not every VMM disables those. Any worker.
  bool ever_filled() noexcept {
    if (ever_filled_.load(std::memory_order_relaxed)) return true;
    if (is_packed_ ? !packed_.filled() : !split_.filled()) return false;
    ever_filled_.store(true, std::memory_order_relaxed);
    return true;
  }

  void give_up(RingFault why) noexcept {
    fault_.store(why, std::memory_order_relaxed);
    set_running(false);
  }

  // Publishes what was written into the used ring; true: the driver wants an interrupt.
  bool publish(uint32_t steps) noexcept {
    return is_packed_ ? publish_in(packed_, steps) : publish_in(split_, steps);
  }

  // Asks the driver for kicks from the next chain on. Follow it by a fence and another look.
  void enable_kicks() noexcept {
    is_packed_ ? packed_.enable_kicks() : split_.enable_kicks();
    if (memory_.logs()) log_kicks();
  }
  void disable_kicks() noexcept {
    is_packed_ ? packed_.disable_kicks() : split_.disable_kicks();
    if (memory_.logs()) log_kicks();
  }

 protected:
  template <class Format>
  uint16_t available_in(const Format& format) noexcept {
    const uint16_t steps = format.available();
    if (__builtin_expect(steps > size_, 0)) {
      give_up(RingFault::avail_index);
      return 0;
    }
    return steps;
  }

  // While the VM migrates, every write into its memory is logged behind it (dirty_log.h). What lies
  // in buffers was logged before a split ring publishes their chains; a packed one, which publishes
  // by writing, has all bits set before its worker's turn ends.
  template <class Format>
  bool publish_in(Format& format, uint32_t steps) noexcept {
    const bool interrupt = format.publish(steps);
    if (memory_.logs()) format.log_published(memory_, steps);
    return interrupt;
  }
  void log_kicks() const noexcept {
    is_packed_ ? packed_.log_kicks(memory_) : split_.log_kicks(memory_);
  }

  // What follows is for the odd chain: it asks for the format each time.

  // The chain `step` ahead of our position. False: there is none.
  bool find_head(uint32_t step, uint32_t available, Head& head) noexcept {
    if (step >= available || !running()) return false;
    const RingFault fault = is_packed_ ? packed_.head(step, head) : split_.head(step, head);
    if (__builtin_expect(fault != RingFault::none, 0)) give_up(fault);
    return fault == RingFault::none && head.chain.steps != 0;
  }

  void prefetch_chain(uint32_t step) const noexcept {
    is_packed_ ? packed_.prefetch_chain(step) : split_.prefetch_chain(step);
  }

  // Goes to the first link, which may lie in an indirect table: no NEXT beside INDIRECT, whole
  // descriptors only, no longer than the ring (virtio 1.2, 2.7.5.3 and 2.8.8). False: it breaks the
  // rules. Whether a link is INDIRECT itself is the caller's to check.
  bool start_walk(ChainWalk& walk, const Head& head, uint32_t step) noexcept {
    const Descriptor& first = head.first;
    if ((first.flags & kDescIndirect) == 0) {
      is_packed_ ? packed_.start(walk, head, step) : split_.start(walk, head, step);
      return true;
    }
    const auto entries = static_cast<unsigned>(first.length / sizeof(Descriptor));
    if (!indirect_ || (first.flags & kDescNext) != 0) return false;
    if (first.length % sizeof(Descriptor) != 0 || entries == 0 || entries > size_) return false;
    const uint8_t* at = memory_.translate(first.address, first.length);
    if (at == nullptr) return false;
    const auto* table = reinterpret_cast<const Descriptor*>(at);
    is_packed_ ? PackedRing::start_table(walk, table, entries)
               : SplitRing::start_table(walk, table, entries);
    return true;
  }
  Step next_link(ChainWalk& walk) const noexcept {
    return is_packed_ ? PackedRing::next(walk) : SplitRing::next(walk);
  }

  SplitRing split_;
  PackedRing packed_;
  bool is_packed_ = false;
  uint16_t size_ = 0;
  bool indirect_ = false;
  bool mergeable_ = false;
  uint8_t header_bytes_ = kNetHeaderBytes;
  uint8_t sends_ = 0;    // offload bits that the driver may ask for
  uint8_t accepts_ = 0;  // those that it takes
  std::atomic<bool> running_{false};
  std::atomic<bool> ever_filled_{false};
  std::atomic<RingFault> fault_{RingFault::none};
  int call_fd_ = -1;
  RegionCache memory_;
};

}  // namespace vhost
