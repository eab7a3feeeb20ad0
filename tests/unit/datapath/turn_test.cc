// Turns without a thread: what the main thread leaves for a worker to send.
#include <gtest/gtest.h>

#include <memory>

#include "datapath/cpu_level.h"
#include "datapath/turn.h"

namespace datapath::test {
namespace {

constexpr uint16_t kPort = 1;
const bridge::MacAddress kAddress = bridge::MacAddress::from_wire_bits(0x2301'0077'5452);

class TurnTest : public ::testing::Test {
 protected:
  TurnTest() {
    table_.set_port(0, {});
    table_.set_port(kPort, {});
    snapshot_.tenancy[kPort] = 7;
    show_ports({0, kPort});
  }
  void show_ports(std::initializer_list<uint16_t> indices) {
    std::vector<bridge::TopologyPort> ports;
    for (const uint16_t index : indices) ports.push_back({index, {}});
    snapshot_.topology = std::make_shared<bridge::Topology>(ports);
  }
  unsigned turn() {
    context_->snapshot = &snapshot_;
    context_->ports = &polled_;
    return choose_cpu_level("").turn(*context_);
  }
  void announce(bridge::MacAddress address) { context_->announcements.push({address, kPort, 7}); }

  bridge::MacTable table_{256};
  Snapshot snapshot_;
  std::vector<PolledPort> polled_;
  std::unique_ptr<TurnContext> context_ = std::make_unique<TurnContext>(table_, 1);
};

TEST_F(TurnTest, AnAnnouncementIsLearnedAndFlooded) {
  announce(kAddress);
  EXPECT_EQ(1u, turn());
  EXPECT_TRUE(table_.find(kAddress).found());
  EXPECT_EQ(kPort, table_.find(kAddress).port());
  EXPECT_EQ(1u, context_->counters[0].egress.get(static_cast<size_t>(bridge::Egress::attempted)));
  EXPECT_EQ(0u, turn()) << "once";
}

TEST_F(TurnTest, AnAnnouncementOfAPortThatHasGoneIsForgotten) {
  announce(kAddress);
  show_ports({0});
  EXPECT_EQ(0u, turn());
  EXPECT_FALSE(table_.find(kAddress).found());
}

// The worker slept, or was busy, until the index belonged to another port.
TEST_F(TurnTest, AnAnnouncementIsNotThatOfThePortsSuccessor) {
  announce(kAddress);
  ++snapshot_.tenancy[kPort];
  EXPECT_EQ(0u, turn());
  EXPECT_FALSE(table_.find(kAddress).found());
}

TEST_F(TurnTest, AsManyAsMayWaitAreSentInOneTurn) {
  for (uint64_t n = 0; n < 100; ++n) {
    announce(bridge::MacAddress::from_wire_bits(kAddress.wire_bits() + (n << 40)));
  }
  EXPECT_EQ(64u, turn()) << "the others found no room";
}

}  // namespace
}  // namespace datapath::test
