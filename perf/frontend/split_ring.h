// The driver's side of one split virtqueue (virtio 1.2, 2.7): its three areas in guest memory, its
// two eventfds and the rules of notification both ways. What the descriptors mean is up to the
// queue or stream on top; exactly one of those owns a ring.
//
// Indices are free-running 16-bit numbers. `available` entries written by set_available() become
// visible with publish(), which also kicks when the device asked for it (2.7.10), and the very
// first time in any case: a device may wait for a first kick that it never asked for. The device's
// part (used_index, used) is read once by the caller and trusted as far as an array index goes.
//
// Threads: one. Errors: frontend::Error from the constructor; the rest cannot fail.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "frontend/file_descriptor.h"
#include "frontend/guest_memory.h"
#include "frontend/protocol.h"

namespace frontend {

class SplitRing {
 public:
  // `size` is a power of two.
  SplitRing(GuestMemory& memory, uint16_t size);

  uint16_t size() const { return size_; }
  uint16_t mask() const { return static_cast<uint16_t>(size_ - 1); }
  Descriptor* descriptors() { return descriptors_; }
  VringAddress address(uint32_t index) const;
  int kick_descriptor() const { return kick_.get(); }
  int call_descriptor() const { return call_.get(); }
  int error_descriptor() const { return error_.get(); }

  // As negotiated; before the ring is started.
  void event_index(bool negotiated) { event_index_ = negotiated; }
  void in_order(bool negotiated) { in_order_ = negotiated; }
  bool in_order() const { return in_order_; }

  // -- to the device
  uint16_t next_available() const { return next_available_; }
  // Puts a chain's head at `next_available() + ahead`. Entries that do not change are not written,
  // so that a ring turned in order keeps its lines shared between the CPUs.
  void set_available(uint16_t ahead, uint16_t head) {
    uint16_t* entry = available_ + kRing + ((next_available_ + ahead) & mask());
    if (*entry != head) *entry = head;
  }
  // Makes `count` entries available; kicks if wanted. Returns whether it kicked.
  bool publish(uint16_t count) {
    const uint16_t before = next_available_;
    next_available_ = static_cast<uint16_t>(before + count);
    std::atomic_ref(available_[kIndex]).store(next_available_, std::memory_order_release);
    if (count == 0 || !kick_wanted(before)) return false;
    kick();
    return true;
  }
  void kick();

  // -- from the device
  uint16_t used_index() const {
    return std::atomic_ref(used_[kIndex]).load(std::memory_order_acquire);
  }
  // Used entries not yet consumed, at most a ring of them.
  uint16_t pending() const { return static_cast<uint16_t>(used_index() - next_used_); }
  uint16_t next_used() const { return next_used_; }
  UsedElement used(uint16_t ahead) const { return used_ring_[(next_used_ + ahead) & mask()]; }
  const UsedElement* used_line(uint16_t ahead) const {
    return used_ring_ + ((next_used_ + ahead) & mask());
  }
  void consume(uint16_t count) { next_used_ = static_cast<uint16_t>(next_used_ + count); }

  // -- interrupts
  // Suppressed from the start. want_interrupt(true) asks for one at the next used entry; look at
  // pending() once more afterwards, then wait_interrupt().
  void want_interrupt(bool wanted);
  bool interrupts_wanted() const { return interrupts_wanted_; }
  // Re-arms after consume(); needed with event-idx, which asks for one interrupt at a time.
  void rearm() {
    if (interrupts_wanted_) want_interrupt(true);
  }
  // False: none within the time allowed.
  bool wait_interrupt(std::chrono::milliseconds timeout);
  // Interrupts since the last call, without waiting.
  uint64_t take_interrupts();
  uint64_t kicks() const { return kicks_; }
  bool notification_suppressed() const;

  // The device is gone: forget everything, as a driver that resets its device does.
  void reset();

 private:
  // Both rings begin with flags and index, as 16-bit words (2.7.6, 2.7.8).
  static constexpr int kFlags = 0;
  static constexpr int kIndex = 1;
  static constexpr int kRing = 2;

  bool kick_wanted(uint16_t before) const {
    // The device must see the index before we look whether it wants to hear of it (2.7.13.3.1).
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!event_index_) return (used_[kFlags] & kNoNotify) == 0;
    const uint16_t event = *available_event_;
    return static_cast<uint16_t>(next_available_ - event - 1) <
           static_cast<uint16_t>(next_available_ - before);
  }

  const GuestMemory* memory_;
  uint16_t size_;
  bool event_index_ = false;
  bool in_order_ = false;
  bool interrupts_wanted_ = false;
  uint16_t next_available_ = 0;
  uint16_t next_used_ = 0;
  Descriptor* descriptors_ = nullptr;
  uint16_t* available_ = nullptr;
  uint16_t* used_ = nullptr;
  UsedElement* used_ring_ = nullptr;
  volatile uint16_t* used_event_ = nullptr;       // ours: behind the available ring
  volatile uint16_t* available_event_ = nullptr;  // the device's: behind the used ring
  FileDescriptor kick_;
  FileDescriptor call_;
  FileDescriptor error_;
  uint64_t kicks_ = 0;
};

}  // namespace frontend
