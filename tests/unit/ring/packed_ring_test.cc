// What both directions of a packed ring share: attaching to it, wrap counters, and who wants to be
// told (virtio 1.2, 2.8). Taking and delivering is tested with the shapes of split rings; what
// those cannot be wrong about is here.
#include <gmock/gmock.h>

#include <random>

#include "ring/packed_driver.h"
#include "vhost/ring.h"
#include "vhost/transmit.h"

namespace vhost::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kBase = 0x10000;
constexpr size_t kMemory = 0x10000;
constexpr uint64_t kFrames = kBase + 0x8000;
constexpr uint64_t kPacked = feature::bit(feature::kRingPacked) | feature::bit(feature::kVersion1) |
                             feature::bit(feature::kRingIndirectDesc);
constexpr uint64_t kEventIdx = feature::bit(feature::kRingEventIdx);
constexpr uint16_t kFresh = kWrapBit;  // place 0, wrap counter 1

class PackedRingTest : public ::testing::Test {
 protected:
  PackedRingTest() { memory_.add(kBase, kMemory); }

  std::string attach(const RingAreas& areas, uint64_t features = kPacked,
                     uint16_t position = kFresh) {
    return ring_.attach(areas, {position, position}, features, memory_.table(), -1);
  }
  void set_up(uint16_t size, uint64_t features = kPacked, uint16_t index = 0) {
    driver_ = std::make_unique<PackedDriver>(memory_, kBase, size);
    driver_->start_at(index);
    ASSERT_EQ("", attach(driver_->areas(), features, driver_->position().next_avail));
    ring_.set_running(true);
  }
  RingAreas areas(uint16_t size, uint64_t ring = kBase, uint64_t driver = kBase + 0x8000,
                  uint64_t device = kBase + 0x8010) const {
    return {memory_.at(ring), memory_.at(driver), memory_.at(device), size};
  }
  // A chain of `links` descriptors from `head` on in the driver's table.
  void offer(uint16_t head, unsigned links) {
    for (unsigned i = 0; i < links; ++i) {
      const auto next = static_cast<uint16_t>((head + i + 1) % driver_->size());
      const uint16_t flags = i + 1 == links ? uint16_t{0} : kDescNext;
      driver_->descriptor(static_cast<uint16_t>((head + i) % driver_->size())) = {kFrames + 100 * i,
                                                                                  72, flags, next};
    }
    driver_->offer(head);
  }
  unsigned take(unsigned limit = TransmitRing::kBurst) {
    batch_->clear();
    return ring_.take(*batch_, limit);
  }

  SimulatedMemory memory_;
  TransmitRing ring_;
  std::unique_ptr<PackedDriver> driver_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
};

TEST_F(PackedRingTest, EverySizeFromTwoToTheLargest) {
  for (const uint16_t size : std::to_array<uint16_t>({2, 3, 7, 100, 255, 256, 1000, 1023, 1024})) {
    EXPECT_EQ("", attach(areas(size)));
    EXPECT_EQ(size, ring_.size());
  }
  for (const uint16_t size : std::to_array<uint16_t>({0, 1, 1025, 32768, 65535})) {
    EXPECT_THAT(attach(areas(size)), HasSubstr("is not from 2 to 1024"));
  }
}

TEST_F(PackedRingTest, AreasAreAlignedAndInsideMemory) {
  const uint64_t end = kBase + kMemory;
  EXPECT_EQ("", attach(areas(16, end - 256, end - 4, end - 4)));
  EXPECT_THAT(attach(areas(16, end - 240)), HasSubstr("descriptor ring"));
  EXPECT_THAT(attach(areas(16, kBase + 8)), HasSubstr("descriptor ring"));
  EXPECT_THAT(attach(areas(16, kBase, kBase + 2)), HasSubstr("driver's event"));
  EXPECT_THAT(attach(areas(16, kBase, end - 2)), HasSubstr("driver's event"));
  EXPECT_THAT(attach(areas(16, kBase, kBase, kBase + 1)), HasSubstr("device's event"));
  EXPECT_THAT(attach(areas(16, kBase, kBase, end - 3)), HasSubstr("device's event"));
}

TEST_F(PackedRingTest, APositionLiesInsideTheRing) {
  EXPECT_EQ("", attach(areas(16), kPacked, 15));
  EXPECT_EQ(15, ring_.position().next_avail);
  EXPECT_EQ("", attach(areas(16), kPacked, kWrapBit | 15));
  EXPECT_EQ(kWrapBit | 15, ring_.position().next_used);
  for (const uint16_t beyond : std::to_array<uint16_t>({16, kWrapBit | 16, 0x7fff, 0xffff})) {
    EXPECT_THAT(attach(areas(16), kPacked, beyond), HasSubstr("beyond the ring"));
  }
}

// --- Places and wrap counters.

// Chains of random lengths through rings of random sizes, several laps, from any place on.
TEST_F(PackedRingTest, ChainsComeBackInOrderLapAfterLap) {
  std::mt19937 random(1);
  for (unsigned ring = 0; ring < 60; ++ring) {
    const auto size = static_cast<uint16_t>(2 + random() % (ring < 20 ? 8 : 300));
    set_up(size, kPacked, static_cast<uint16_t>(random() % (2u * size)));
    uint16_t head = 0;
    for (unsigned round = 0; round < 200; ++round) {
      std::vector<uint16_t> heads;
      for (unsigned room = size; room != 0 && heads.size() < 64;) {
        const auto links = static_cast<unsigned>(1 + random() % std::min(room, 4u));
        offer(head, links);
        heads.push_back(head);
        head = static_cast<uint16_t>((head + links) % size);
        room -= links;
        if (random() % 4 == 0) break;
      }
      const uint16_t before = driver_->used_index();
      ASSERT_EQ(heads.size(), take()) << "size " << size;
      ASSERT_EQ(before, driver_->used_index());
      ring_.give_back(*batch_, 0, batch_->count);
      ASSERT_EQ(driver_->avail_index(), driver_->used_index()) << "size " << size;
      for (uint16_t i = 0; i < heads.size(); ++i) {
        ASSERT_EQ(heads[i], driver_->used(static_cast<uint16_t>(before + i)).id);
      }
      ASSERT_EQ(driver_->position().next_avail, ring_.position().next_avail);
      ASSERT_EQ(driver_->position().next_used, ring_.position().next_used);
    }
  }
}

TEST_F(PackedRingTest, ANewRingIsEmpty) {
  set_up(8);
  EXPECT_EQ(0u, ring_.available());
  EXPECT_EQ(0u, take());
  EXPECT_FALSE(ring_.ever_filled());
  offer(0, 1);
  EXPECT_NE(0u, ring_.available());
  EXPECT_TRUE(ring_.ever_filled());
}

TEST_F(PackedRingTest, AWholeLapIsTakenOnce) {
  set_up(5);
  for (uint16_t i = 0; i < 5; ++i) offer(i, 1);
  EXPECT_EQ(5u, take());
  EXPECT_EQ(0u, take());
}

TEST_F(PackedRingTest, AChainWithoutAnEndStopsTheRing) {
  set_up(16);
  offer(0, 2);
  for (uint16_t i = 2; i < 16; ++i) driver_->raw(i).flags = kDescNext | kDescAvailable;
  driver_->raw(0).flags |= kDescNext;
  driver_->raw(1).flags |= kDescNext;
  EXPECT_EQ(0u, take());
  EXPECT_FALSE(ring_.running());
  EXPECT_EQ(RingFault::chain_length, ring_.fault());
  EXPECT_THAT(describe(RingFault::chain_length), HasSubstr("longer than the ring"));
}

TEST_F(PackedRingTest, WhatStandsBeforeAChainWithoutAnEndIsTaken) {
  set_up(16);
  offer(0, 1);
  for (uint16_t i = 1; i < 16; ++i) driver_->raw(i).flags = kDescNext | kDescAvailable;
  EXPECT_EQ(1u, take()) << "the chain would come round to its own beginning";
  EXPECT_EQ(RingFault::chain_length, ring_.fault());
  ring_.give_back(*batch_, 0, 1);
  EXPECT_EQ(1, driver_->used_index());
}

TEST_F(PackedRingTest, WhatFollowsAChainIsAnotherOne) {
  set_up(16);
  offer(0, 3);
  driver_->raw(3).flags = kDescAvailable | kDescIndirect | kDescWrite;
  EXPECT_EQ(2u, take());
  EXPECT_EQ(FrameFault::none, batch_->fault[0]);
  EXPECT_EQ(3u * 72 - 12, batch_->length[0]);
  EXPECT_EQ(FrameFault::malformed, batch_->fault[1]);
}

// --- Kicks (virtio 1.2, 2.8.10): what we ask of the driver.

TEST_F(PackedRingTest, KicksAreOffFromTheStartAndOnWhenAsked) {
  set_up(8);
  EXPECT_EQ(kEventDisable, driver_->device_flags());
  ring_.enable_kicks();
  EXPECT_EQ(kEventEnable, driver_->device_flags());
  ring_.disable_kicks();
  EXPECT_EQ(kEventDisable, driver_->device_flags());
}

TEST_F(PackedRingTest, KicksByDescriptorAreAskedForTheNextChain) {
  set_up(5, kPacked | kEventIdx, 3);
  ring_.enable_kicks();
  EXPECT_EQ(kEventDescriptor, driver_->device_flags());
  EXPECT_EQ(kWrapBit | 3, driver_->device_event());
  offer(0, 3);
  ASSERT_EQ(1u, take());
  ring_.give_back(*batch_, 0, 1);
  ring_.enable_kicks();
  EXPECT_EQ(1, driver_->device_event()) << "of the next lap";
}

// --- Interrupts: what the driver asks of us.

TEST_F(PackedRingTest, InterruptsByFlag) {
  set_up(8);
  EXPECT_TRUE(ring_.publish(1));
  driver_->set_flags(1);
  EXPECT_FALSE(ring_.publish(1));
  driver_->set_flags(0);
  EXPECT_TRUE(ring_.publish(1));
  driver_->set_event(7);
  EXPECT_TRUE(ring_.publish(1)) << "an event means nothing that was not negotiated";
}

TEST_F(PackedRingTest, TheFirstInterruptAfterAttachingAlwaysGoesOut) {
  for (int round = 0; round < 2; ++round) {
    set_up(8, kPacked | kEventIdx);
    driver_->set_event(7);
    EXPECT_TRUE(ring_.publish(1)) << "it may wait since before we came";
    EXPECT_FALSE(ring_.publish(1));
  }
}

// The event is one of the descriptors just returned, at every distance, size, place and lap.
TEST_F(PackedRingTest, InterruptsByDescriptor) {
  for (const uint16_t size : std::to_array<uint16_t>({2, 3, 8, 13})) {
    set_up(size, kPacked | kEventIdx);
    ring_.publish(1);
    unsigned now = 1;  // descriptors since the beginning
    for (unsigned round = 0; round < 3000; ++round) {
      const unsigned count = 1 + round % size;
      const unsigned ahead = round / size % size;  // of the event from the first one returned
      driver_->set_event(static_cast<uint16_t>(now + ahead));
      ASSERT_EQ(ahead < count, ring_.publish(count)) << size << " " << now << " " << ahead;
      now += count;
      if (now > 4u * size) now -= 2u * size;
    }
  }
}

TEST_F(PackedRingTest, EventsBeyondTheRingDoNoHarm) {
  set_up(8, kPacked | kEventIdx);
  for (unsigned place = 0; place < 65536; place += 7) {
    driver_->set_event_place(static_cast<uint16_t>(place));
    ring_.publish(1);
  }
  EXPECT_TRUE(ring_.running());
}

}  // namespace
}  // namespace vhost::test
