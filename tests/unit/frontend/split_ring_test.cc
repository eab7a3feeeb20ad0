#include "frontend/ring.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frontend/error.h"
#include "model_device.h"

namespace frontend {
namespace {

class SplitRingTest : public testing::Test {
 protected:
  GuestMemory memory_{MemoryOptions{}};
  Ring ring_{memory_, 8};
  ModelDevice device_{memory_, ring_};

  uint64_t kicks_read() {
    eventfd_t count = 0;
    return eventfd_read(ring_.kick_descriptor(), &count) == 0 ? count : 0;
  }
  bool publish_one() {
    ring_.set_available(0, 0);
    return ring_.publish(1);
  }
};

TEST_F(SplitRingTest, SizeMustBeAPowerOfTwo) {
  EXPECT_THROW(Ring(memory_, 100), Error);
  EXPECT_THROW(Ring(memory_, 0), Error);
}

TEST_F(SplitRingTest, KicksUnlessTheDeviceAskedForNone) {
  EXPECT_TRUE(publish_one());
  EXPECT_EQ(kicks_read(), 1u);
  device_.set_no_notify(true);
  EXPECT_FALSE(publish_one());
  EXPECT_EQ(kicks_read(), 0u);
  EXPECT_EQ(device_.available(), 2);
}

TEST_F(SplitRingTest, WithEventIndexKicksWhenThatEntryIsPassed) {
  ring_.event_index(true);
  device_.set_no_notify(true);  // means nothing now (virtio 1.2, 2.7.10)
  device_.set_available_event(1);
  EXPECT_FALSE(publish_one());  // entry 0
  EXPECT_TRUE(publish_one());   // entry 1
  EXPECT_FALSE(publish_one());
  device_.set_available_event(5);
  EXPECT_TRUE(ring_.publish(4));  // entries 3 to 6
}

TEST_F(SplitRingTest, EventIndexWorksAcrossTheWrap) {
  ring_.event_index(true);
  for (unsigned i = 0; i < 65'530; ++i) {
    device_.set_available_event(static_cast<uint16_t>(i - 1));
    EXPECT_FALSE(publish_one());
  }
  device_.set_available_event(2);
  EXPECT_TRUE(ring_.publish(9));  // 65,530 to 2
}

TEST_F(SplitRingTest, PublishOfNothingNeverKicks) {
  EXPECT_FALSE(ring_.publish(0));
  EXPECT_EQ(kicks_read(), 0u);
}

TEST_F(SplitRingTest, InterruptsAreSuppressedUntilAskedFor) {
  EXPECT_EQ(device_.available_flags(), kNoInterrupt);
  ring_.want_interrupt(true);
  EXPECT_EQ(device_.available_flags(), 0);
  ring_.want_interrupt(false);
  EXPECT_EQ(device_.available_flags(), kNoInterrupt);
}

TEST_F(SplitRingTest, InterruptsWithEventIndexNameTheNextUsedEntry) {
  ring_.event_index(true);
  ring_.want_interrupt(true);
  EXPECT_EQ(device_.used_event(), 0);
  EXPECT_EQ(device_.available_flags(), 0);
  ring_.consume(3);
  ring_.rearm();
  EXPECT_EQ(device_.used_event(), 3);
  ring_.want_interrupt(false);
  EXPECT_EQ(device_.used_event(), 2);
}

TEST_F(SplitRingTest, WaitsForTheCallDescriptor) {
  EXPECT_FALSE(ring_.wait_interrupt(std::chrono::milliseconds(0)));
  eventfd_write(ring_.call_descriptor(), 1);
  EXPECT_TRUE(ring_.wait_interrupt(std::chrono::seconds(10)));
  EXPECT_EQ(ring_.take_interrupts(), 0u);
}

TEST_F(SplitRingTest, SeesWhatTheDeviceUsed) {
  EXPECT_EQ(ring_.pending(), 0);
  device_.use(5, 60);
  device_.use(2, 70);
  ASSERT_EQ(ring_.pending(), 2);
  EXPECT_EQ(ring_.used(0).id, 5u);
  EXPECT_EQ(ring_.used(1).length, 70u);
  ring_.consume(2);
  EXPECT_EQ(ring_.pending(), 0);
}

}  // namespace
}  // namespace frontend
