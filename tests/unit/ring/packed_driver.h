// The driver's side of one packed ring (virtio 1.2, 2.8), with the face of DriverRing: the test
// lays out chains in a table of descriptors as if the ring were split, and offer() writes the chain
// into the ring. What comes back is counted as a split ring's index counts it, so that every shape
// of chain is tested in both formats by the same test. Buffers have ids of their own.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "ring/simulated_guest.h"
#include "vhost/virtio.h"

namespace vhost::test {

// As the specification lays it out.
struct PackedDescriptor {
  uint64_t address;
  uint32_t length;
  uint16_t id;
  uint16_t flags;
};
static_assert(sizeof(PackedDescriptor) == 16);

class PackedDriver {
 public:
  PackedDriver(const SimulatedMemory& memory, uint64_t guest, uint16_t size)
      : size_(size), table_(size), steps_(size) {
    ring_ = reinterpret_cast<PackedDescriptor*>(memory.at(guest, 16u * size));
    std::fill_n(ring_, size, PackedDescriptor{});
    events_ = reinterpret_cast<uint16_t*>(memory.at(guest + 16u * size, 8));
    std::fill_n(events_, 4, uint16_t{0});
  }

  RingAreas areas() const { return {ring_, events_, events_ + 2, size_}; }
  uint16_t size() const { return size_; }
  PackedDescriptor& raw(uint16_t place) const { return ring_[place]; }

  // The place of a ring of which `index` descriptors were used.
  void start_at(uint16_t index) {
    base_ = offered_ = index;
    avail_ = used_place_ = {static_cast<uint16_t>(index % size_), index / size_ % 2 == 0};
  }
  RingPosition position() const { return {avail_.packed(), used_place_.packed()}; }

  Descriptor& descriptor(uint16_t id) { return table_[id]; }
  void offer(uint16_t head) {
    std::vector<Descriptor> links;
    for (uint16_t id = head; links.size() < size_; id = links.back().next) {
      links.push_back(table_[id]);
      if ((links.back().flags & kDescNext) == 0 || links.back().next >= size_) break;
    }
    steps_[head] = static_cast<uint16_t>(links.size());
    const Place first = avail_;
    for (size_t i = 0; i < links.size(); ++i, avail_.pass(1, size_)) {
      if (i != 0) write(avail_, links[i], head);
    }
    write(first, links[0], head);
    ++offered_;
  }
  uint16_t avail_index() const { return offered_; }
  void advance(uint16_t /*by*/) {}  // there is no index: tests of it are skipped

  uint16_t used_index() {
    for (;;) {
      const PackedDescriptor found = ring_[used_place_.at];
      const uint16_t state = found.flags & (kDescAvailable | kDescUsed);
      if (state != (used_place_.wrap ? kDescAvailable | kDescUsed : 0)) break;
      const auto head = static_cast<uint16_t>(found.id - kFirstId);
      if (head >= size_ || steps_[head] == 0) break;  // never used yet, or not by the switch
      EXPECT_EQ(found.length != 0, (found.flags & kDescWrite) != 0) << "says whether it wrote";
      used_.push_back({head, found.length});
      used_place_.pass(steps_[head], size_);
      steps_[head] = 0;
    }
    return static_cast<uint16_t>(base_ + used_.size());
  }
  UsedElement used(uint16_t position) {
    used_index();
    return used_.at(static_cast<uint16_t>(position - base_));
  }

  void set_flags(uint16_t flags) { events_[1] = flags != 0 ? kEventDisable : kEventEnable; }
  // Behind this many descriptors from the beginning of time on.
  void set_event(uint16_t index) {
    const Place at = {static_cast<uint16_t>(index % size_), index / size_ % 2 == 0};
    set_event_place(at.packed());
  }
  void set_event_place(uint16_t place) {
    events_[0] = place;
    events_[1] = kEventDescriptor;
  }
  uint16_t device_flags() const { return events_[3]; }
  uint16_t device_event() const { return events_[2]; }

  // Everything the driver wrote becomes nonsense.
  void scramble() {
    for (uint16_t i = 0; i < size_; ++i) ring_[i] = {0x5000'0000, 0xffffffff, 0xffff, 7};
  }

 private:
  static constexpr uint16_t kFirstId = 0x4000;

  struct Place {
    uint16_t at = 0;
    bool wrap = true;
    void pass(unsigned steps, unsigned size) {
      for (; steps != 0; --steps) {
        at = static_cast<uint16_t>(at + 1u == size ? 0 : at + 1);
        if (at == 0) wrap = !wrap;
      }
    }
    uint16_t packed() const { return static_cast<uint16_t>(at | (wrap ? kWrapBit : 0)); }
  };

  void write(Place place, const Descriptor& link, uint16_t head) {
    PackedDescriptor& to = ring_[place.at];
    to.address = link.address;
    to.length = link.length;
    to.id = static_cast<uint16_t>(kFirstId + head);
    const auto flags =
        static_cast<uint16_t>(link.flags | (place.wrap ? kDescAvailable : kDescUsed));
    __atomic_store_n(&to.flags, flags, __ATOMIC_RELEASE);
  }

  uint16_t size_;
  PackedDescriptor* ring_;
  uint16_t* events_;  // the driver's, then the device's
  std::vector<Descriptor> table_;
  std::vector<uint16_t> steps_;  // of chains in flight, by their head in the table
  std::vector<UsedElement> used_;
  uint16_t base_ = 0;
  uint16_t offered_ = 0;
  Place avail_;
  Place used_place_;
};

}  // namespace vhost::test
