// The driver's side of one virtqueue, split (virtio 1.2, 2.7) or packed (2.8): its areas in guest
// memory, its two eventfds and the rules of notification both ways. What the descriptors mean is up
// to the queue or stream on top; exactly one of those owns a ring.
//
// Chains are laid out in descriptors() and linked by `next`, whatever the format. In a split ring
// that is the table the device reads; in a packed one it is a table of ours, from which
// set_available() writes a chain into the ring, under its head's number.
//
// Indices are free-running 16-bit numbers of chains. Chains given to set_available() become
// visible with publish(), which also kicks when the device asked for it (2.7.10, 2.8.10), and the
// very first time in any case: a device may wait for a first kick that it never asked for. The
// device's part is read once by the caller and trusted as far as an array index goes.
//
// Threads: one. Errors: frontend::Error from the constructor; the rest cannot fail.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "frontend/file_descriptor.h"
#include "frontend/guest_memory.h"
#include "frontend/packed_places.h"
#include "frontend/prefetch.h"
#include "frontend/protocol.h"

namespace frontend {

class Ring {
 public:
  // `size` is a power of two, here for packed rings too.
  Ring(GuestMemory& memory, uint16_t size, bool packed = false);

  bool packed() const { return packed_; }
  uint16_t size() const { return size_; }
  uint16_t mask() const { return static_cast<uint16_t>(size_ - 1); }
  Descriptor* descriptors() { return descriptors_; }
  // As it stands in an indirect table: in packed rings the flags come last (2.8.1), and every entry
  // belongs to the chain (2.8.8).
  Descriptor in_table(Descriptor link) const {
    if (!packed_) return link;
    link.flags &= static_cast<uint16_t>(~kDescriptorNext);
    std::swap(link.flags, link.next);
    return link;
  }
  VringAddress address(uint32_t index) const;
  int kick_descriptor() const { return kick_.get(); }
  int call_descriptor() const { return call_.get(); }
  int error_descriptor() const { return error_.get(); }

  // As negotiated; before the ring is started.
  void event_index(bool negotiated) { event_index_ = negotiated; }
  void in_order(bool negotiated) { in_order_ = negotiated; }
  bool in_order() const { return in_order_; }
  // For SET_VRING_BASE.
  uint16_t base_of_used() { return packed_ ? scan_packed().base() : used_index(); }
  uint16_t base_of_available() const { return packed_ ? put_.base() : next_available_; }

  // -- to the device
  uint16_t next_available() const { return next_available_; }
  // Puts a chain's head at `next_available() + ahead`, one after the other. Entries that do not
  // change are not written, so that a split ring turned in order keeps its lines shared between the
  // CPUs.
  void set_available(uint16_t ahead, uint16_t head) {
    if (packed_) return put_packed(ahead, head);
    uint16_t* entry = available_ + kRing + ((next_available_ + ahead) & mask());
    if (*entry != head) *entry = head;
  }
  // Makes `count` entries available; kicks if wanted. Returns whether it kicked.
  bool publish(uint16_t count) {
    const uint16_t before = next_available_;
    next_available_ = static_cast<uint16_t>(before + count);
    if (packed_) return publish_packed(count);
    std::atomic_ref(available_[kIndex]).store(next_available_, std::memory_order_release);
    if (count == 0 || !kick_wanted(before)) return false;
    kick();
    return true;
  }
  void kick();

  // -- from the device
  uint16_t used_index() {
    if (packed_) return static_cast<uint16_t>(next_used_ + pending());
    return std::atomic_ref(used_[kIndex]).load(std::memory_order_acquire);
  }
  // Used entries not yet consumed, at most a ring of them.
  uint16_t pending() {
    if (!packed_) return static_cast<uint16_t>(used_index() - next_used_);
    scan_packed();
    return found_;
  }
  uint16_t next_used() const { return next_used_; }
  UsedElement used(uint16_t ahead) const { return used_ring_[(next_used_ + ahead) & mask()]; }
  const UsedElement* used_line(uint16_t ahead) const {
    return used_ring_ + ((next_used_ + ahead) & mask());
  }
  void consume(uint16_t count) {
    next_used_ = static_cast<uint16_t>(next_used_ + count);
    found_ = static_cast<uint16_t>(found_ - count);
  }

  // Both at once, for a packed ring of which every place is a chain of its own, in flight, and
  // comes back in order: what was used is made available again in its place, in one look at it, as
  // it stood. How many. Less than there are: none, or one that is not so.
  uint16_t recycle();
  bool recycles() const {
    return packed_ && found_ == 0 && static_cast<uint16_t>(next_available_ - next_used_) == size_;
  }

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
  // Both areas of a split ring begin with flags and index, as 16-bit words (2.7.6, 2.7.8).
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

  void make_split(GuestMemory& memory);
  void make_packed(GuestMemory& memory);

  // A chain of one is one store of 16 bytes. The first one's flags, which make all of them
  // available, are left to publish().
  void put_packed(uint16_t ahead, uint16_t head) {
    PackedPlace first = put_;
    uint16_t steps = 1;
    put_.pass(1, size_);
    for (uint16_t id = head; (descriptors_[id].flags & kDescriptorNext) != 0 && steps < size_;
         ++steps) {
      id = descriptors_[id].next & mask();
      write_packed(put_, descriptors_[id], head, put_.available());
      put_.pass(1, size_);
    }
    steps_[head] = steps;
    put_steps_ = static_cast<uint16_t>(put_steps_ + steps);
    if (ahead == 0) first_ = first;
    // The other way round it is not available.
    write_packed(first, descriptors_[head], head,
                 static_cast<uint16_t>(ahead == 0 ? first.available() ^ kPackedStateBits
                                                  : first.available()));
  }
  void write_packed(PackedPlace place, const Descriptor& link, uint16_t id, uint16_t state) {
    packed_ring_[place.at] = {link.address, link.length, id,
                              static_cast<uint16_t>(link.flags | state)};
  }
  bool publish_packed(uint16_t count) {
    if (count == 0) return false;
    uint16_t& flags = packed_ring_[first_.at].flags;
    const auto available = static_cast<uint16_t>(flags ^ kPackedStateBits);
    std::atomic_ref(flags).store(available, std::memory_order_release);
    const uint16_t steps = std::exchange(put_steps_, uint16_t{0});
    if (!kick_wanted_packed(steps)) return false;
    kick();
    return true;
  }
  bool kick_wanted_packed(uint16_t steps) const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const uint32_t event = *device_event_;
    const uint32_t mode = event >> 16;
    if (!event_index_ || mode != kPackedEventDescriptor) return mode != kPackedEventDisable;
    return put_.passed(static_cast<uint16_t>(event), steps, size_);
  }
  // Notes what the device has used since the last look; the place of the next one.
  PackedPlace scan_packed() {
    while (found_ < size_) {
      // Where one is used, those behind it are as a rule; they will be written, too.
      if (found_ != 0 && scanned_.at % kPackedInLine == 0) {
        prefetch_for_writing(packed_ring_ + ((scanned_.at + kPackedAhead) & mask()));
      }
      PackedDescriptor& here = packed_ring_[scanned_.at];
      const uint16_t flags = std::atomic_ref(here.flags).load(std::memory_order_acquire);
      if ((flags & kPackedStateBits) != scanned_.used()) break;
      const uint16_t head = here.id & mask();
      if (steps_[head] == 0) break;  // nothing was posted here
      packed_used_[(next_used_ + found_) & mask()] = {here.id, here.length};
      ++found_;
      scanned_.pass(std::exchange(steps_[head], uint16_t{0}), size_);
    }
    return scanned_;
  }

  static constexpr uint16_t kPackedInLine = kCacheLine / sizeof(PackedDescriptor);
  static constexpr uint16_t kPackedAhead = 4 * kPackedInLine;

  const GuestMemory* memory_;
  uint16_t size_;
  bool packed_;
  bool event_index_ = false;
  bool in_order_ = false;
  bool interrupts_wanted_ = false;
  uint16_t next_available_ = 0;
  uint16_t next_used_ = 0;
  Descriptor* descriptors_ = nullptr;
  const UsedElement* used_ring_ = nullptr;
  // Of a split ring.
  uint16_t* available_ = nullptr;
  uint16_t* used_ = nullptr;
  volatile uint16_t* used_event_ = nullptr;       // ours: behind the available ring
  volatile uint16_t* available_event_ = nullptr;  // the device's: behind the used ring
  // Of a packed one.
  PackedDescriptor* packed_ring_ = nullptr;
  volatile uint32_t* driver_event_ = nullptr;  // place, then mode
  volatile uint32_t* device_event_ = nullptr;
  std::vector<Descriptor> table_;
  std::vector<UsedElement> packed_used_;
  std::vector<uint16_t> steps_;  // of chains in flight, by their head
  PackedPlace put_;
  PackedPlace first_;  // of what is not yet published
  uint16_t put_steps_ = 0;
  PackedPlace scanned_;
  uint16_t found_ = 0;  // used and not consumed
  FileDescriptor kick_;
  FileDescriptor call_;
  FileDescriptor error_;
  uint64_t kicks_ = 0;
};

}  // namespace frontend
