// Which receive queue frames go to: all of them somewhere, each flow to one, in order, and none to
// a queue that does not run or that its driver never filled.
#include "datapath/steering.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "ring/simulated_guest.h"

namespace datapath::test {
namespace {

using vhost::test::DriverRing;
using vhost::test::SimulatedMemory;

constexpr unsigned kFlows = 64;
constexpr uint64_t kApart = 0x4000;  // of the rings in memory

class SteeringTest : public ::testing::Test {
 protected:
  SteeringTest() {
    memory_.add(0, kApart * vhost::kMaxQueuePairs);
    slots_.resize(vhost::Batch::kCapacity);
    std::iota(slots_.begin(), slots_.end(), uint16_t{0});
    for (const uint16_t slot : slots_) write_frame(slot, slot % kFlows);
  }
  // Told apart by the sender's MAC address alone.
  void write_frame(uint16_t slot, unsigned flow) {
    uint8_t* frame = batch_->head[slot].data() + vhost::kNetHeaderBytes;
    std::fill_n(frame, 60, uint8_t{0});
    frame[6] = 2;
    frame[11] = static_cast<uint8_t>(flow);
    batch_->length[slot] = 60;
  }
  void add_queue(bool running, bool filled) {
    const uint64_t place = kApart * rings_.size();
    drivers_.push_back(std::make_unique<DriverRing>(memory_, place, 256));
    rings_.push_back(std::make_unique<vhost::ReceiveRing>());
    vhost::ReceiveRing& ring = *rings_.back();
    const uint64_t modern = vhost::feature::bit(vhost::feature::kVersion1);
    ASSERT_EQ("", ring.attach(drivers_.back()->areas(), {0, 0}, modern, memory_.table(), -1));
    ring.set_running(running);
    if (filled) drivers_.back()->offer(0);
    receivers_.add(&ring);
  }
  void add_queues(unsigned count) {
    for (unsigned i = 0; i < count; ++i) add_queue(true, true);
  }
  void part(Steering& steering) { steering.part(*batch_, slots_, receivers_); }

  // Slots by the number of the guest's queue.
  std::map<unsigned, std::vector<uint16_t>> parted(const Steering& steering) const {
    std::map<unsigned, std::vector<uint16_t>> parts;
    for (unsigned i = 0; i < steering.queues(); ++i) {
      unsigned queue = 0;
      while (rings_.at(queue).get() != &steering.ring(i)) ++queue;
      const auto slots = steering.slots(i);
      parts[queue].assign(slots.begin(), slots.end());
    }
    return parts;
  }
  static std::map<unsigned, std::set<unsigned>> queues_of_flows(
      const std::map<unsigned, std::vector<uint16_t>>& parts) {
    std::map<unsigned, std::set<unsigned>> queues;
    for (const auto& [queue, slots] : parts) {
      for (const uint16_t slot : slots) queues[slot % kFlows].insert(queue);
    }
    return queues;
  }

  SimulatedMemory memory_;
  std::vector<std::unique_ptr<DriverRing>> drivers_;
  std::vector<std::unique_ptr<vhost::ReceiveRing>> rings_;
  RingSet<vhost::ReceiveRing> receivers_;
  std::unique_ptr<vhost::Batch> batch_ = std::make_unique<vhost::Batch>();
  std::vector<uint16_t> slots_;
};

TEST_F(SteeringTest, EveryFrameGoesToOneQueueAndStaysInOrder) {
  add_queues(vhost::kMaxQueuePairs);
  Steering steering(42);
  part(steering);
  std::vector<uint16_t> all;
  for (const auto& [queue, slots] : parted(steering)) {
    EXPECT_TRUE(std::is_sorted(slots.begin(), slots.end())) << queue;
    all.insert(all.end(), slots.begin(), slots.end());
  }
  EXPECT_THAT(all, ::testing::UnorderedElementsAreArray(slots_));
}

TEST_F(SteeringTest, AFlowHasOneQueueAndTheFlowsUseAll) {
  add_queues(4);
  Steering steering(42);
  part(steering);
  std::set<unsigned> used;
  for (const auto& [flow, queues] : queues_of_flows(parted(steering))) {
    EXPECT_EQ(1u, queues.size()) << flow;
    used.insert(queues.begin(), queues.end());
  }
  EXPECT_EQ(4u, used.size());
}

TEST_F(SteeringTest, AllWorkersAgreeAndStrangersCannotTell) {
  add_queues(4);
  Steering one(42);
  Steering other(42);
  Steering keyed_otherwise(43);
  for (Steering* steering : {&one, &other, &keyed_otherwise}) part(*steering);
  EXPECT_EQ(parted(one), parted(other));
  EXPECT_NE(parted(one), parted(keyed_otherwise));
}

TEST_F(SteeringTest, QueuesThatStandStillOrWereNeverFilledArePassedOver) {
  add_queue(true, true);
  add_queue(false, true);
  add_queue(true, false);
  add_queue(true, true);
  Steering steering(42);
  part(steering);
  const auto parts = parted(steering);
  EXPECT_EQ(2u, parts.size());
  EXPECT_FALSE(parts.at(0).empty());
  EXPECT_FALSE(parts.at(3).empty());
  // The driver fills it later: from then on it takes part.
  drivers_.at(2)->offer(0);
  part(steering);
  EXPECT_EQ(3u, parted(steering).size());
}

// So that the frames are counted by the queues that cannot take them.
TEST_F(SteeringTest, WithoutAQueueThatRunsTheFramesGoToThoseThereAre) {
  add_queue(false, true);
  add_queue(true, false);
  Steering steering(42);
  part(steering);
  size_t frames = 0;
  for (const auto& [queue, slots] : parted(steering)) frames += slots.size();
  EXPECT_EQ(slots_.size(), frames);
}

}  // namespace
}  // namespace datapath::test
