// What both directions of a ring share: attaching to it, how far the driver is, and who wants to
// be told (virtio 1.2, 2.7.7 to 2.7.10).
#include "vhost/ring.h"

#include <gmock/gmock.h>

#include "ring/simulated_guest.h"

namespace vhost::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kBase = 0x10000;
constexpr size_t kMemory = 0x10000;
constexpr uint64_t kEventIdx = feature::bit(feature::kRingEventIdx);
constexpr int kCallFd = 77;

class SplitRingTest : public ::testing::Test {
 protected:
  SplitRingTest() { memory_.add(kBase, kMemory); }

  std::string attach(const RingAreas& areas, uint64_t features = 0, uint16_t index = 0) {
    return ring_.attach(areas, {index, index}, features, memory_.table(), kCallFd);
  }
  template <typename T>
  T* at(uint64_t guest) const {
    return reinterpret_cast<T*>(memory_.at(guest));
  }
  // The areas of a ring, far from each other.
  RingAreas areas(uint16_t size) const {
    return {at<Descriptor>(kBase), at<AvailRing>(kBase + 0x8000), at<UsedRing>(kBase + 0xa000),
            size};
  }

  SimulatedMemory memory_;
  Ring ring_;
};

TEST_F(SplitRingTest, EveryPowerOfTwoFromTwoToTheLargestIsASize) {
  for (uint16_t size = 2; size <= kMaxRingSize; size = static_cast<uint16_t>(size * 2)) {
    EXPECT_EQ("", attach(areas(size)));
    EXPECT_EQ(size, ring_.size());
  }
  for (const uint16_t size :
       std::to_array<uint16_t>({0, 1, 3, 6, 255, 257, 1000, 1023, 2048, 32768, 65535})) {
    EXPECT_THAT(attach(areas(size)), HasSubstr("ring size " + std::to_string(size) +
                                               " is not a power of two from 2 to"));
  }
}

TEST_F(SplitRingTest, AreasAreAligned) {
  const auto moved = [this](unsigned descriptors, unsigned avail, unsigned used) {
    return attach({at<Descriptor>(kBase + descriptors), at<AvailRing>(kBase + 0x8000 + avail),
                   at<UsedRing>(kBase + 0xa000 + used), 16});
  };
  EXPECT_EQ("", moved(16, 2, 4));
  for (const unsigned by : {1u, 2u, 4u, 8u, 15u}) {
    EXPECT_THAT(moved(by, 0, 0), HasSubstr("descriptor table")) << by;
  }
  EXPECT_THAT(moved(0, 1, 0), HasSubstr("available ring"));
  for (const unsigned by : {1u, 2u, 3u}) EXPECT_THAT(moved(0, 0, by), HasSubstr("used ring")) << by;
}

// Each area ends where memory ends, and then is one step longer.
TEST_F(SplitRingTest, AreasLieInsideMemoryWithTheirEvents) {
  const uint64_t end = kBase + kMemory;
  const auto with = [this](uint64_t descriptors, uint64_t avail, uint64_t used, uint64_t features) {
    return attach({at<Descriptor>(descriptors), at<AvailRing>(avail), at<UsedRing>(used), 16},
                  features);
  };
  const uint64_t somewhere = kBase + 0x4000;
  EXPECT_EQ("", with(end - 256, somewhere, somewhere, kEventIdx));
  EXPECT_THAT(with(end - 240, somewhere, somewhere, 0), HasSubstr("descriptor table"));
  EXPECT_EQ("", with(kBase, end - 36, somewhere, 0));
  EXPECT_THAT(with(kBase, end - 36, somewhere, kEventIdx), HasSubstr("available ring"));
  EXPECT_EQ("", with(kBase, end - 38, somewhere, kEventIdx));
  EXPECT_THAT(with(kBase, end - 34, somewhere, 0), HasSubstr("available ring"));
  EXPECT_EQ("", with(kBase, somewhere, end - 132, 0));
  EXPECT_THAT(with(kBase, somewhere, end - 132, kEventIdx), HasSubstr("used ring"));
  EXPECT_EQ("", with(kBase, somewhere, end - 136, kEventIdx));
  EXPECT_THAT(with(kBase, somewhere, end - 128, 0), HasSubstr("used ring"));
}

TEST_F(SplitRingTest, AreasElsewhereAreRefused) {
  alignas(16) std::array<uint8_t, 4096> elsewhere{};
  auto* outside = elsewhere.data();
  RingAreas wrong = areas(16);
  wrong.descriptors = reinterpret_cast<Descriptor*>(outside);
  EXPECT_THAT(attach(wrong), HasSubstr("descriptor table"));
  wrong = areas(16);
  wrong.driver = nullptr;
  EXPECT_THAT(attach(wrong), HasSubstr("available ring"));
  wrong = areas(16);
  wrong.device = reinterpret_cast<UsedRing*>(outside);
  EXPECT_THAT(attach(wrong), HasSubstr("used ring"));
}

TEST_F(SplitRingTest, AttachingTakesThePlaceTheDescriptorAndForgetsAFault) {
  DriverRing driver(memory_, kBase, 8);
  driver.start_at(40000);
  ASSERT_EQ("", attach(driver.areas(), 0, 40000));
  ring_.set_running(true);
  EXPECT_EQ(40000, ring_.position().next_avail);
  EXPECT_EQ(40000, ring_.position().next_used);
  EXPECT_EQ(kCallFd, ring_.call_fd());
  driver.advance(9);
  EXPECT_EQ(0, ring_.available());
  EXPECT_EQ(RingFault::avail_index, ring_.fault());
  EXPECT_FALSE(ring_.running());
  ASSERT_EQ("", attach(driver.areas(), 0, 40009));
  EXPECT_EQ(RingFault::none, ring_.fault());
  EXPECT_EQ(0, ring_.available());
}

TEST_F(SplitRingTest, FaultsAreExplained) {
  EXPECT_STREQ("", describe(RingFault::none));
  EXPECT_THAT(describe(RingFault::avail_index), HasSubstr("ran ahead"));
  EXPECT_THAT(describe(RingFault::descriptor_id), HasSubstr("beyond the table"));
}

TEST_F(SplitRingTest, AsMuchIsAvailableAsTheRingIsLongAndNoMore) {
  DriverRing driver(memory_, kBase, 8);
  for (const uint16_t start : std::to_array<uint16_t>({0, 1, 32767, 65530, 65535})) {
    driver.start_at(start);
    ASSERT_EQ("", attach(driver.areas(), 0, start));
    ring_.set_running(true);
    for (uint16_t count = 0; count <= 8; ++count) {
      EXPECT_EQ(count, ring_.available()) << start;
      driver.advance(1);
    }
    EXPECT_TRUE(ring_.running());
    EXPECT_EQ(0, ring_.available()) << start;
    EXPECT_FALSE(ring_.running());
  }
  driver.start_at(5);
  ASSERT_EQ("", attach(driver.areas(), 0, 6));
  ring_.set_running(true);
  EXPECT_EQ(0, ring_.available()) << "an index that went backwards";
  EXPECT_EQ(RingFault::avail_index, ring_.fault());
}

// --- Kicks (virtio 1.2, 2.7.10): what we ask of the driver.

TEST_F(SplitRingTest, KicksByFlagAreOffFromTheStartAndOnWhenAsked) {
  DriverRing driver(memory_, kBase, 8);
  ASSERT_EQ("", attach(driver.areas()));
  EXPECT_EQ(kUsedNoNotify, driver.device_flags());
  ring_.enable_kicks();
  EXPECT_EQ(0, driver.device_flags());
  ring_.disable_kicks();
  EXPECT_EQ(kUsedNoNotify, driver.device_flags());
}

TEST_F(SplitRingTest, KicksByEventIndexAreAskedForTheNextChain) {
  DriverRing driver(memory_, kBase, 8);
  driver.start_at(65535);
  driver.set_device_event(4711);
  ASSERT_EQ("", attach(driver.areas(), kEventIdx, 65535));
  EXPECT_EQ(0, driver.device_flags()) << "flags are not used beside event indices (2.7.10)";
  EXPECT_EQ(4711, driver.device_event());
  ring_.enable_kicks();
  EXPECT_EQ(65535, driver.device_event());
  ring_.disable_kicks();
  EXPECT_EQ(65535, driver.device_event()) << "left behind, to be passed once";
}

// --- Interrupts (virtio 1.2, 2.7.7): what the driver asks of us.

TEST_F(SplitRingTest, InterruptsByFlag) {
  DriverRing driver(memory_, kBase, 8);
  ASSERT_EQ("", attach(driver.areas()));
  EXPECT_TRUE(ring_.publish(1));
  EXPECT_TRUE(ring_.publish(2));
  driver.set_flags(kAvailNoInterrupt);
  EXPECT_FALSE(ring_.publish(1));
  EXPECT_EQ(4, driver.used_index());
  driver.set_flags(0);
  EXPECT_TRUE(ring_.publish(1));
}

TEST_F(SplitRingTest, TheFirstInterruptAfterAttachingAlwaysGoesOut) {
  DriverRing driver(memory_, kBase, 8);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ("", attach(driver.areas(), kEventIdx, 100));
    driver.set_event(5000);
    EXPECT_TRUE(ring_.publish(1)) << "it may wait since before we came";
    EXPECT_FALSE(ring_.publish(1));
  }
}

// The event is one of the entries just published, at every distance and across the wrap.
TEST_F(SplitRingTest, InterruptsByEventIndex) {
  DriverRing driver(memory_, kBase, 64);
  for (const uint16_t start : std::to_array<uint16_t>({0, 7, 32760, 65520, 65535})) {
    ASSERT_EQ("", attach(driver.areas(), kEventIdx, start));
    ring_.publish(1);
    for (uint16_t round = 0; round < 4000; ++round) {
      const uint16_t before = ring_.position().next_used;
      const auto count = static_cast<uint16_t>(1 + round % 64);
      const int distance = round / 64 - 20;  // of the event from the first new entry
      driver.set_event(static_cast<uint16_t>(before + distance));
      const bool wanted = distance >= 0 && distance < count;
      ASSERT_EQ(wanted, ring_.publish(count)) << start << " " << count << " " << distance;
      ASSERT_EQ(static_cast<uint16_t>(before + count), driver.used_index());
    }
  }
}

}  // namespace
}  // namespace vhost::test
