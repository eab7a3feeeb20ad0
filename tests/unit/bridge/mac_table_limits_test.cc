// What keeps guests from misusing the table: capacity, limits, protected addresses, rate of moves.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "addresses.h"
#include "bridge/mac_table.h"

namespace bridge::test {
namespace {

constexpr policy::PortRules kUnlimited{.isolated = false, .mac_limit = 1'000'000};
constexpr policy::PortRules kIsolated{.isolated = true, .mac_limit = 1024};

// --- Capacity.

// Learns all, finds all, and has no room for one more.
void expect_room_for(const std::vector<MacAddress>& all, MacAddress one_more) {
  MacTable table(static_cast<uint32_t>(all.size()));
  table.set_port(1, kUnlimited);
  table.set_port(200, kUnlimited);
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(LearnResult::learned, table.learn(all[i], i % 2 == 0 ? 1 : 200, 1)) << i;
  }
  EXPECT_EQ(all.size(), table.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const MacPlace place = table.find(all[i]);
    ASSERT_TRUE(place.found()) << i;
    ASSERT_EQ(i % 2 == 0 ? 1 : 200, place.port()) << i;
  }
  EXPECT_FALSE(table.find(one_more).found());
  EXPECT_EQ(LearnResult::table_full, table.learn(one_more, 1, 1));
  EXPECT_FALSE(table.add_static(one_more, 1));
  EXPECT_EQ(LearnResult::known, table.learn(all[0], 1, 2));
  table.remove(all[1]);
  EXPECT_EQ(LearnResult::learned, table.learn(one_more, 1, 1)) << "one has gone";
}

constexpr uint32_t kMany = 65536;

TEST(MacTableCapacityTest, SixtyFourThousandInARow) {
  std::vector<MacAddress> all;
  for (uint32_t n = 0; n < kMany; ++n) all.push_back(station(n));
  expect_room_for(all, station(kMany));
}

// Counting in the first octets, which are the lowest bits.
TEST(MacTableCapacityTest, SixtyFourThousandOfManyVendors) {
  std::vector<MacAddress> all;
  for (uint64_t n = 0; n < kMany; ++n) {
    all.push_back(MacAddress::from_wire_bits((n & 0x7f) << 1 | (n >> 7) << 8 | uint64_t{1} << 40));
  }
  expect_room_for(all, MacAddress::from_wire_bits(uint64_t{1} << 41));
}

// Counting in steps of a large power of two, which only the highest bits tell apart.
TEST(MacTableCapacityTest, SixtyFourThousandInTheLastTwoOctets) {
  std::vector<MacAddress> all;
  for (uint64_t n = 0; n < kMany; ++n) {
    all.push_back(MacAddress::from_wire_bits(0x0000'5634'1252 | n << 32));
  }
  expect_room_for(all, MacAddress::from_wire_bits(0x0000'5634'1254));
}

TEST(MacTableCapacityTest, SixtyFourThousandAtRandom) {
  std::mt19937_64 random(4711);
  std::vector<MacAddress> all;
  for (uint32_t n = 0; n < kMany; ++n) {
    all.push_back(MacAddress::from_wire_bits((random() & ~uint64_t{1}) | 2));
  }
  expect_room_for(all, MacAddress::from_wire_bits(4));
}

TEST(MacTableCapacityTest, SmallTables) {
  for (uint32_t size : {16u, 17u, 100u, 1000u}) {
    std::vector<MacAddress> all;
    for (uint32_t n = 0; n < size; ++n) all.push_back(station(n * 7919));
    expect_room_for(all, station(0xffff'ffff));
  }
  EXPECT_EQ(16u, MacTable(0).capacity());
}

// --- The limit of a port.

TEST(MacLimitTest, APortHoldsAsManyAsItMay) {
  MacTable table(64);
  table.set_port(1, {.isolated = false, .mac_limit = 3});
  table.set_port(2, {});
  for (uint32_t n = 0; n < 3; ++n) EXPECT_EQ(LearnResult::learned, table.learn(station(n), 1, 1));
  EXPECT_EQ(LearnResult::mac_limited, table.learn(station(3), 1, 1));
  EXPECT_FALSE(table.find(station(3)).found());
  EXPECT_EQ(LearnResult::known, table.learn(station(0), 1, 1));
  EXPECT_EQ(LearnResult::learned, table.learn(station(4), 2, 1)) << "another port has its own";
  EXPECT_EQ(LearnResult::mac_limited, table.learn(station(4), 1, 1)) << "a move counts too";
  EXPECT_EQ(2, table.find(station(4)).port());
  EXPECT_TRUE(table.add_static(station(5), 1)) << "what the operator configures does not";
  table.remove(station(0));
  EXPECT_EQ(LearnResult::learned, table.learn(station(3), 1, 1));
}

TEST(MacLimitTest, ALimitOfZeroLearnsNothing) {
  MacTable table(64);
  table.set_port(1, {.isolated = false, .mac_limit = 0});
  EXPECT_EQ(LearnResult::mac_limited, table.learn(station(1), 1, 1));
  EXPECT_EQ(0u, table.size());
}

TEST(MacLimitTest, AddressesThatMovedAwayMakeRoom) {
  MacTable table(64);
  table.set_port(1, {.isolated = false, .mac_limit = 1});
  table.set_port(2, {});
  table.learn(station(1), 1, 1);
  EXPECT_EQ(LearnResult::moved, table.learn(station(1), 2, 1));
  EXPECT_EQ(LearnResult::learned, table.learn(station(2), 1, 1));
}

// --- Clients cannot take the router's address.

TEST(ProtectionTest, AnAddressDoesNotMoveToAnIsolatedPort) {
  MacTable table(64);
  table.set_port(1, {});
  table.set_port(2, kIsolated);
  table.set_port(3, kIsolated);
  table.learn(station(1), 1, 1);
  EXPECT_EQ(LearnResult::drop_protected, table.learn(station(1), 2, 1));
  EXPECT_EQ(1, table.find(station(1)).port());
  table.learn(station(2), 2, 1);
  EXPECT_EQ(LearnResult::moved, table.learn(station(2), 3, 1)) << "from client to client it does";
  EXPECT_EQ(LearnResult::moved, table.learn(station(2), 1, 1)) << "and to the router";
  EXPECT_EQ(LearnResult::drop_protected, table.learn(station(2), 3, 1));
}

TEST(ProtectionTest, AnAddressThatHasAgedOutIsFree) {
  MacTable table(64);
  table.set_port(1, {});
  table.set_port(2, kIsolated);
  table.learn(station(1), 1, 1);
  table.age(302, 300);
  EXPECT_EQ(LearnResult::learned, table.learn(station(1), 2, 302));
}

// --- Moves.

TEST(MoveRateTest, SoManyASecondToOnePort) {
  MacTable table(1024);
  for (uint16_t port = 1; port <= 3; ++port) table.set_port(port, {});
  for (uint32_t n = 0; n < 50; ++n) table.learn(station(n), 1, 5);
  for (uint32_t n = 0; n < kMovesPerSecond; ++n) {
    EXPECT_EQ(LearnResult::moved, table.learn(station(n), 2, 5));
  }
  EXPECT_EQ(LearnResult::moves_limited, table.learn(station(40), 2, 5));
  EXPECT_EQ(1, table.find(station(40)).port()) << "it stays where it was";
  EXPECT_EQ(LearnResult::moved, table.learn(station(41), 3, 5)) << "another port has its own";
  EXPECT_EQ(LearnResult::learned, table.learn(station(60), 2, 5)) << "learning is no move";
  EXPECT_EQ(LearnResult::moved, table.learn(station(40), 2, 6)) << "a new second";
}

TEST(MoveRateTest, ALoopCannotMoveAnAddressMoreOftenThanThat) {
  MacTable table(64);
  table.set_port(1, {});
  table.set_port(2, {});
  table.learn(station(1), 1, 1);
  unsigned moves = 0;
  for (int i = 0; i < 1000; ++i) {
    moves += table.learn(station(1), i % 2 == 0 ? 2 : 1, 1) == LearnResult::moved;
  }
  EXPECT_EQ(2 * kMovesPerSecond, moves);
  EXPECT_EQ(1u, table.size());
}

TEST(MoveRateTest, APortThatIsSetUpAnewStartsAfresh) {
  MacTable table(1024);
  table.set_port(1, {});
  table.set_port(2, {});
  for (uint32_t n = 0; n < 40; ++n) table.learn(station(n), 1, 5);
  for (uint32_t n = 0; n < kMovesPerSecond; ++n) table.learn(station(n), 2, 5);
  table.flush_port(2);
  table.set_port(2, {});
  EXPECT_EQ(LearnResult::moved, table.learn(station(30), 2, 5));
}

}  // namespace
}  // namespace bridge::test
