// Frames that go nowhere: each under the name of its reason, and learning's own counters.
#include "bridge_fixture.h"

namespace bridge::test {
namespace {

using vhost::FrameFault;

TEST_F(BridgeTest, FaultyFramesAreCountedByTheirFaultAndNothingOfThemIsLookedAt) {
  forward(kRouter, {{kBroadcast, station(1), 0, FrameFault::malformed},
                    {kBroadcast, station(2), 60, FrameFault::header},
                    {kBroadcast, station(3), 13, FrameFault::runt},
                    {kBroadcast, station(4), 0, FrameFault::oversize},
                    {kBroadcast, station(5), 60},
                    {kBroadcast, station(6), 70, FrameFault::offload}});
  EXPECT_EQ((Counts{{"frames", 6},
                    {"bytes", 203},
                    {"drop_bad_offload", 1},
                    {"broadcast", 1},
                    {"flooded", 1},
                    {"drop_malformed", 1},
                    {"drop_header", 1},
                    {"drop_runt", 1},
                    {"drop_oversize", 1}}),
            ingress());
  EXPECT_EQ((Counts{{"learned", 1}}), learning());
  EXPECT_THAT(list(kServer), ::testing::ElementsAre(4));
}

TEST_F(BridgeTest, SourcesThatAreNoStation) {
  forward(kRouter, {{station(1), MacAddress()},
                    {station(1), kBroadcast},
                    {station(1), address("01:00:00:00:00:00")},
                    {address("01:80:c2:00:00:00"), kBroadcast}});
  EXPECT_EQ(
      (Counts{
          {"frames", 4}, {"bytes", 240}, {"unicast", 3}, {"multicast", 1}, {"drop_bad_source", 4}}),
      ingress());
  EXPECT_EQ(0u, table_.size());
  EXPECT_EQ(0u, bridge_->lists().count());
}

TEST_F(BridgeTest, AStaticAddressOnAnotherPort) {
  table_.add_static(station(1), kServer);
  forward(kRouter, {{kBroadcast, station(1)}, {kBroadcast, station(1)}, {kBroadcast, station(2)}});
  EXPECT_EQ(2u, ingress().at("drop_static_elsewhere"));
  EXPECT_EQ(1u, ingress().at("flooded"));
  forward(kServer, {{kBroadcast, station(1)}});
  EXPECT_EQ(2u, ingress().at("flooded"));
}

TEST_F(BridgeTest, ARoutersAddressClaimedByAClient) {
  forward(kRouter, {{kBroadcast, station(1)}});
  forward(kClient, {{kBroadcast, station(1)}, {station(1), station(1)}});
  EXPECT_EQ(2u, ingress().at("drop_protected_source"));
  EXPECT_EQ(kRouter, table_.find(station(1)).port());
}

TEST_F(BridgeTest, ADestinationOnTheSamePort) {
  forward(kRouter, {{kBroadcast, station(1)}, {kBroadcast, station(2)}});
  bridge_->lists().clear();
  forward(kRouter, {{station(1), station(2)}, {station(1), station(1)}});
  EXPECT_EQ(2u, ingress().at("drop_same_port"));
  EXPECT_EQ(0u, bridge_->lists().count());
}

TEST_F(BridgeTest, NobodyToFloodTo) {
  topology_ = Topology(std::vector<TopologyPort>{{kRouter, {}}});
  forward(kRouter, {{kBroadcast, station(1)}, {station(2), station(1)}});
  EXPECT_EQ((Counts{{"frames", 2},
                    {"bytes", 120},
                    {"unicast", 1},
                    {"broadcast", 1},
                    {"drop_no_receiver", 2}}),
            ingress());
}

TEST_F(BridgeTest, ZeroAsADestinationIsUnknownForEver) {
  forward(kRouter, {{MacAddress(), station(1)}, {MacAddress(), station(1)}});
  EXPECT_EQ(2u, ingress().at("flooded"));
}

// --- Not learned, but forwarded.

TEST_F(BridgeTest, APortAtItsLimitStillForwards) {
  table_.set_port(kRouter, {.isolated = false, .mac_limit = 2});
  forward(kServer, {{kBroadcast, station(9)}});
  forward(kRouter, {{station(9), station(1)},
                    {station(9), station(2)},
                    {station(9), station(3)},
                    {station(9), station(3)}});
  EXPECT_EQ(4u, ingress().at("forwarded"));
  EXPECT_EQ((Counts{{"learned", 3}, {"mac_limited", 2}}), learning());
}

TEST_F(BridgeTest, AFullTableStillForwards) {
  table_.set_port(kServer, {.isolated = false, .mac_limit = 1000});
  std::vector<Frame> many;
  for (uint32_t n = 0; n < 250; ++n) many.push_back({kBroadcast, station(n)});
  forward(kServer, many);
  batch_->clear();
  bridge_->lists().clear();
  many.clear();
  for (uint32_t n = 250; n < 300; ++n) many.push_back({kBroadcast, station(n)});
  forward(kServer, many);
  EXPECT_EQ((Counts{{"learned", 256}, {"table_full", 44}}), learning());
  EXPECT_EQ(300u, ingress().at("flooded"));
}

TEST_F(BridgeTest, TooManyMovesAreCountedAndForwarded) {
  std::vector<Frame> frames;
  for (uint32_t n = 0; n < kMovesPerSecond + 4; ++n) frames.push_back({kBroadcast, station(n)});
  forward(kRouter, frames);
  forward(kServer, frames);
  EXPECT_EQ(
      (Counts{{"learned", kMovesPerSecond + 4}, {"moved", kMovesPerSecond}, {"moves_limited", 4}}),
      learning());
  EXPECT_EQ(2u * (kMovesPerSecond + 4), ingress().at("flooded"));
}

// Many random frames: the sums hold (checked by ingress()), every frame is in one place.
TEST_F(BridgeTest, WhateverComesTheSumsAreExact) {
  uint32_t state = 1;
  const auto random = [&state](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  uint64_t sent = 0;
  for (unsigned turn = 0; turn < 200; ++turn) {
    batch_->clear();
    bridge_->lists().clear();
    for (const TopologyPort& port : kPorts) {
      std::vector<Frame> frames;
      for (uint32_t i = random(40); i > 0; --i) {
        const auto address_of = [&] {
          return random(8) == 0 ? MacAddress::from_wire_bits(random(4)) : station(random(400));
        };
        const bool faulty = random(10) == 0;
        frames.push_back({address_of(), address_of(), 14 + random(1500),
                          faulty ? static_cast<FrameFault>(1 + random(5)) : FrameFault::none});
      }
      sent += frames.size();
      forward(port.index, frames);
    }
    now_ = turn / 10;
    if (turn % 50 == 49) table_.age(now_, 3);
  }
  EXPECT_EQ(sent, ingress().at("frames"));
}

}  // namespace
}  // namespace bridge::test
