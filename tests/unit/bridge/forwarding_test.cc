// Learning and forwarding: where each frame goes, and what is counted of it.
#include "bridge_fixture.h"

namespace bridge::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(BridgeTest, AnUnknownDestinationIsFloodedToAllThatMayBeReached) {
  forward(kRouter, {{station(9), station(1)}});
  EXPECT_THAT(list(kClient), ElementsAre(0));
  EXPECT_THAT(list(kOtherClient), ElementsAre(0));
  EXPECT_THAT(list(3), ElementsAre(0));
  EXPECT_THAT(list(kServer), ElementsAre(0));
  EXPECT_THAT(list(kRouter), IsEmpty());
  EXPECT_EQ((Counts{{"frames", 1}, {"bytes", 60}, {"unicast", 1}, {"flooded", 1}}), ingress());
  EXPECT_EQ((Counts{{"learned", 1}}), learning());
}

TEST_F(BridgeTest, AKnownDestinationGetsItAlone) {
  forward(kServer, {{kBroadcast, station(4)}});
  bridge_->lists().clear();
  forward(kRouter, {{station(4), station(1), 100}, {station(4), station(1), 1514}});
  EXPECT_EQ(1u, bridge_->lists().count());
  EXPECT_THAT(list(kServer), ElementsAre(1, 2));
  EXPECT_EQ((Counts{{"frames", 3},
                    {"bytes", 1674},
                    {"unicast", 2},
                    {"broadcast", 1},
                    {"forwarded", 2},
                    {"flooded", 1}}),
            ingress());
}

TEST_F(BridgeTest, ABurstOfManySourcesAndDestinations) {
  std::vector<Frame> from_server;
  for (uint32_t n = 0; n < 20; ++n) from_server.push_back({kBroadcast, station(100 + n)});
  forward(kServer, from_server);
  forward(kClient, {{kBroadcast, station(50)}});
  bridge_->lists().clear();
  std::vector<Frame> burst;
  for (uint32_t n = 0; n < 40; ++n) {
    const MacAddress to = n % 4 == 3 ? station(50) : station(100 + n % 20);
    burst.push_back({to, station(200 + n % 7)});
  }
  forward(kRouter, burst);
  EXPECT_EQ(30u, list(kServer).size());
  EXPECT_EQ(10u, list(kClient).size());
  EXPECT_EQ(2u, bridge_->lists().count());
  EXPECT_EQ(7u, table_.learned_on(kRouter));
  EXPECT_EQ(40u, ingress().at("forwarded"));
}

TEST_F(BridgeTest, SeveralBurstsOfOneTurnShareTheLists) {
  forward(kRouter, {{kBroadcast, station(1)}});
  forward(kServer, {{station(1), station(4)}, {kBroadcast, station(4)}});
  forward(kClient, {{station(1), station(5)}});
  EXPECT_THAT(list(kRouter), ElementsAre(1, 2, 3));
  EXPECT_THAT(list(kServer), ElementsAre(0));
  EXPECT_THAT(list(kClient), ElementsAre(0, 2));
}

TEST_F(BridgeTest, AMovedAddressIsFollowedAndNoted) {
  forward(kRouter, {{kBroadcast, station(1)}});
  forward(kServer, {{kBroadcast, station(1)}, {kBroadcast, station(1)}});
  EXPECT_EQ(kServer, table_.find(station(1)).port());
  EXPECT_EQ((Counts{{"learned", 1}, {"moved", 1}}), learning());
  Move move;
  ASSERT_TRUE(bridge_->moves().pop(move));
  EXPECT_EQ(station(1), move.address);
  EXPECT_EQ(kServer, move.to);
  EXPECT_FALSE(bridge_->moves().pop(move));
}

// --- Groups.

TEST_F(BridgeTest, GroupsAreFloodedAndCountedByClass) {
  forward(kRouter, {{kBroadcast, station(1)},
                    {address("01:00:5e:00:00:fb"), station(1)},
                    {address("33:33:00:00:00:01"), station(1)}});
  EXPECT_THAT(list(kServer), ElementsAre(0, 1, 2));
  EXPECT_EQ(
      (Counts{{"frames", 3}, {"bytes", 180}, {"multicast", 2}, {"broadcast", 1}, {"flooded", 3}}),
      ingress());
  EXPECT_EQ(tally::kBroadcast, bridge_->tallies()[0]);
  EXPECT_EQ(tally::kMulticast, bridge_->tallies()[1]);
}

TEST_F(BridgeTest, LinkLocalGroupsAreConsumed) {
  std::vector<Frame> frames;
  for (uint64_t last = 0; last < 16; ++last) {
    frames.push_back({MacAddress::from_wire_bits(0x0000'00c2'8001 | last << 40), station(1)});
  }
  forward(kRouter, frames);
  EXPECT_EQ(0u, bridge_->lists().count());
  EXPECT_EQ((Counts{{"frames", 16}, {"bytes", 960}, {"multicast", 16}, {"consumed", 16}}),
            ingress());
  EXPECT_TRUE(table_.find(station(1)).found()) << "their sources are learned all the same";
}

TEST_F(BridgeTest, GroupsBesideTheLinkLocalOnesAreNot) {
  forward(kRouter, {{address("01:80:c2:00:00:10"), station(1)},
                    {address("01:80:c2:00:01:00"), station(1)},
                    {address("01:80:c3:00:00:00"), station(1)},
                    {address("03:80:c2:00:00:00"), station(1)}});
  EXPECT_EQ(4u, ingress().at("flooded"));
}

// --- Isolation.

TEST_F(BridgeTest, IsolatedPortsDoNotReachEachOther) {
  forward(kOtherClient, {{kBroadcast, station(2)}});
  bridge_->lists().clear();
  forward(kClient, {{station(2), station(1)},                      // unicast
                    {station(77), station(1)},                     // unknown
                    {kBroadcast, station(1)},                      // broadcast
                    {address("01:00:5e:00:00:01"), station(1)}});  // multicast
  EXPECT_THAT(list(kOtherClient), IsEmpty());
  EXPECT_THAT(list(3), IsEmpty());
  EXPECT_THAT(list(kRouter), ElementsAre(2, 3, 4));
  EXPECT_THAT(list(kServer), ElementsAre(2, 3, 4));
  EXPECT_EQ(1u, ingress().at("drop_isolated"));
  EXPECT_EQ(4u, ingress().at("flooded")) << "with the other client's own";
}

TEST_F(BridgeTest, IsolatedPortsReachTheRouterAndItReachesThem) {
  forward(kClient, {{kBroadcast, station(1)}});
  forward(kRouter, {{station(1), station(9)}});
  forward(kClient, {{station(9), station(1)}});
  EXPECT_THAT(list(kClient), ElementsAre(1));
  EXPECT_THAT(list(kRouter), ElementsAre(0, 2));
}

// --- The destination's port has gone, the table has not noticed yet.

TEST_F(BridgeTest, ADestinationWhosePortHasGoneIsFlooded) {
  table_.learn(station(9), kGone, 1);
  forward(kRouter, {{station(9), station(1)}});
  EXPECT_THAT(list(kGone), IsEmpty());
  EXPECT_THAT(list(kServer), ElementsAre(0));
  EXPECT_EQ(1u, ingress().at("flooded"));
}

}  // namespace
}  // namespace bridge::test
