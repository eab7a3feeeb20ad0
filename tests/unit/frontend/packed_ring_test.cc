// The driver's side of a packed ring against virtio 1.2, 2.8, descriptor by descriptor.
#include <gtest/gtest.h>

#include <bit>

#include "frontend/ring.h"

namespace frontend {
namespace {

constexpr uint16_t kAvailable = 1 << 7;
constexpr uint16_t kUsed = 1 << 15;

class PackedRingTest : public testing::Test {
 protected:
  PackedRingTest() {
    const VringAddress address = ring_.address(0);
    descriptors_ = at<PackedDescriptor>(address.descriptors);
    driver_event_ = at<uint16_t>(address.available);
    device_event_ = at<uint16_t>(address.used);
  }

  template <typename T>
  T* at(uint64_t user_address) const {
    for (const MemoryRegion& region : memory_.table()) {
      const uint64_t offset = user_address - region.user_address;
      if (offset < region.size) {
        return reinterpret_cast<T*>(memory_.host(region.guest_address + offset));
      }
    }
    return nullptr;
  }
  // A chain of `links` from `head` on; its lengths are head + 1, head + 2, and so on.
  void offer(uint16_t ahead, uint16_t head, unsigned links = 1) {
    for (unsigned i = 0; i < links; ++i) {
      const auto id = static_cast<uint16_t>(head + i);
      const uint16_t more = i + 1 == links ? uint16_t{0} : kDescriptorNext;
      ring_.descriptors()[id] = {0x1000, id + 1u, more, static_cast<uint16_t>(id + 1)};
    }
    ring_.set_available(ahead, head);
  }
  bool available(unsigned place, bool wrap = true) const {
    return (descriptors_[place].flags & (kAvailable | kUsed)) == (wrap ? kAvailable : kUsed);
  }
  void use(unsigned place, uint16_t id, uint32_t length, bool wrap = true) {
    descriptors_[place].id = id;
    descriptors_[place].length = length;
    descriptors_[place].flags = wrap ? kAvailable | kUsed : 0;
  }
  // The device has taken all and returns one buffer after the other.
  void turn_one(unsigned count) {
    for (unsigned i = 0; i < count; ++i, ++turned_) {
      offer(0, 0);
      ring_.publish(1);
      use(turned_ % 8, 0, 0, turned_ / 8 % 2 == 0);
      ASSERT_EQ(ring_.pending(), 1);
      ring_.consume(1);
    }
  }

  GuestMemory memory_{MemoryOptions{}};
  Ring ring_{memory_, 8, true};
  PackedDescriptor* descriptors_;
  uint16_t* driver_event_;  // place and wrap counter, then mode
  uint16_t* device_event_;
  unsigned turned_ = 0;
};

TEST_F(PackedRingTest, AChainIsWrittenInOrderUnderItsHead) {
  offer(0, 2, 3);
  offer(1, 6);
  EXPECT_FALSE(available(0)) << "before it is published";
  EXPECT_TRUE(available(1));
  ring_.publish(2);
  for (unsigned place = 0; place < 4; ++place) EXPECT_TRUE(available(place));
  EXPECT_FALSE(available(4));
  for (unsigned place = 0; place < 3; ++place) {
    EXPECT_EQ(descriptors_[place].length, place + 3);
    EXPECT_EQ(descriptors_[place].id, 2);
    EXPECT_EQ((descriptors_[place].flags & kDescriptorNext) != 0, place != 2);
  }
  EXPECT_EQ(descriptors_[3].id, 6);
  EXPECT_EQ(ring_.base_of_available(), 0x8004);
}

TEST_F(PackedRingTest, SeesWhatTheDeviceUsedChainByChain) {
  offer(0, 2, 3);
  offer(1, 6);
  ring_.publish(2);
  EXPECT_EQ(ring_.pending(), 0);
  use(3, 6, 70);
  EXPECT_EQ(ring_.pending(), 0) << "the chain before it is not";
  use(0, 2, 60);
  ASSERT_EQ(ring_.pending(), 2);
  EXPECT_EQ(ring_.used(0).id, 2u);
  EXPECT_EQ(ring_.used(0).length, 60u);
  EXPECT_EQ(ring_.used(1).id, 6u);
  ring_.consume(2);
  EXPECT_EQ(ring_.pending(), 0);
  EXPECT_EQ(ring_.base_of_used(), 0x8004);
}

TEST_F(PackedRingTest, TheWrapCounterTurnsWithEachLap) {
  turn_one(6);
  offer(0, 0, 4);
  ring_.publish(1);
  EXPECT_TRUE(available(6));
  EXPECT_TRUE(available(7));
  EXPECT_TRUE(available(0, false));
  EXPECT_TRUE(available(1, false));
  EXPECT_EQ(ring_.base_of_available(), 2);
  use(6, 0, 0);
  ASSERT_EQ(ring_.pending(), 1);
  EXPECT_EQ(ring_.base_of_used(), 2);
}

TEST_F(PackedRingTest, KicksUnlessTheDeviceAskedForNone) {
  offer(0, 0);
  EXPECT_TRUE(ring_.publish(1));
  device_event_[1] = 1;  // disabled
  EXPECT_TRUE(ring_.notification_suppressed());
  offer(0, 1);
  EXPECT_FALSE(ring_.publish(1));
  EXPECT_FALSE(ring_.publish(0));
  EXPECT_EQ(ring_.kicks(), 1u);
}

TEST_F(PackedRingTest, WithEventIndexKicksWhenThatDescriptorIsPassed) {
  ring_.event_index(true);
  device_event_[1] = 2;  // by descriptor
  for (unsigned event = 0; event < 8; ++event) {
    for (unsigned place = 0; place < 8; ++place) {
      ring_.reset();
      turned_ = 0;
      turn_one(place);
      // Two laps of the counter round the ring: the same event is ahead, and then behind.
      device_event_[0] = static_cast<uint16_t>(event | (event >= place ? 0x8000 : 0));
      device_event_[1] = 2;
      offer(0, 0, 2);
      const bool passed = event == place || event == (place + 1) % 8;
      EXPECT_EQ(ring_.publish(1), passed) << event << " from " << place;
    }
  }
}

TEST_F(PackedRingTest, InterruptsAreSuppressedUntilAskedFor) {
  EXPECT_EQ(driver_event_[1], 1);
  ring_.want_interrupt(true);
  EXPECT_EQ(driver_event_[1], 0);
  ring_.event_index(true);
  turn_one(3);
  ring_.rearm();
  EXPECT_EQ(driver_event_[1], 2);
  EXPECT_EQ(driver_event_[0], 0x8003) << "the next used descriptor";
  ring_.want_interrupt(false);
  EXPECT_EQ(driver_event_[1], 1);
}

TEST_F(PackedRingTest, TablesEndWithTheirFlags) {
  const Descriptor link = ring_.in_table({0x1000, 60, kDescriptorWrite | kDescriptorNext, 1});
  EXPECT_EQ(std::bit_cast<PackedDescriptor>(link).flags, kDescriptorWrite);
}

TEST_F(PackedRingTest, RecyclesInPlaceWhatCameBackInOrder) {
  for (uint16_t head = 0; head < 8; ++head) offer(head, head);
  EXPECT_FALSE(ring_.recycles()) << "before all are in flight";
  ring_.publish(8);
  ASSERT_TRUE(ring_.recycles());
  EXPECT_EQ(ring_.recycle(), 0);
  for (uint16_t id = 0; id < 3; ++id) use(id, id, 100);
  EXPECT_EQ(ring_.recycle(), 3);
  for (unsigned place = 0; place < 3; ++place) {
    EXPECT_TRUE(available(place, false)) << "in the next lap";
    EXPECT_EQ(descriptors_[place].length, place + 1) << "as it stood";
  }
  EXPECT_EQ(ring_.recycle(), 0);
  for (uint16_t id = 3; id < 8; ++id) use(id, id, 100);
  use(0, 0, 100, false);
  EXPECT_EQ(ring_.recycle(), 6) << "over the end";
  EXPECT_TRUE(available(0));
  EXPECT_TRUE(ring_.recycles());
}

TEST_F(PackedRingTest, DoesNotRecycleAmongChains) {
  offer(0, 0, 2);
  for (uint16_t head = 2; head < 8; ++head) offer(static_cast<uint16_t>(head - 1), head);
  ring_.publish(7);
  EXPECT_FALSE(ring_.recycles()) << "seven chains in eight places";
}

}  // namespace
}  // namespace frontend
