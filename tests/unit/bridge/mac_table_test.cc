// The forwarding database: learning, moving, static addresses, ageing, flushing.
#include "bridge/mac_table.h"

#include <gtest/gtest.h>

#include <map>

#include "addresses.h"

namespace bridge::test {
namespace {

class MacTableTest : public ::testing::Test {
 protected:
  MacTableTest() {
    for (uint16_t port = 0; port < 4; ++port) table_.set_port(port, {});
  }

  std::map<std::string, uint16_t> content() const {
    std::map<std::string, uint16_t> all;
    table_.for_each(
        [&all](const MacTable::Entry& entry) { all[entry.address.to_string()] = entry.port; });
    return all;
  }

  MacTable table_{1024};
};

TEST_F(MacTableTest, NothingIsKnownAtFirst) {
  EXPECT_FALSE(table_.find(station(1)).found());
  EXPECT_FALSE(table_.find(MacAddress()).found()) << "nor is zero, which empty entries look like";
  EXPECT_EQ(0u, table_.size());
  EXPECT_EQ(1024u, table_.capacity());
  EXPECT_TRUE(content().empty());
}

TEST_F(MacTableTest, AnAddressIsLearnedOnceAndKnownFromThenOn) {
  EXPECT_EQ(LearnResult::learned, table_.learn(station(1), 3, 10));
  EXPECT_EQ(LearnResult::known, table_.learn(station(1), 3, 10));
  const MacPlace place = table_.find(station(1));
  ASSERT_TRUE(place.found());
  EXPECT_EQ(3, place.port());
  EXPECT_FALSE(place.is_static());
  EXPECT_FALSE(table_.find(station(2)).found());
  EXPECT_EQ(1u, table_.size());
  EXPECT_EQ(1u, table_.learned_on(3));
}

TEST_F(MacTableTest, PortZeroIsAPortLikeOthers) {
  EXPECT_EQ(LearnResult::learned, table_.learn(station(1), 0, 0));
  ASSERT_TRUE(table_.find(station(1)).found());
  EXPECT_EQ(0, table_.find(station(1)).port());
}

TEST_F(MacTableTest, AnAddressMovesToWhereItIsSeen) {
  table_.learn(station(1), 1, 10);
  EXPECT_EQ(LearnResult::moved, table_.learn(station(1), 2, 11));
  EXPECT_EQ(2, table_.find(station(1)).port());
  EXPECT_EQ(0u, table_.learned_on(1));
  EXPECT_EQ(1u, table_.learned_on(2));
  EXPECT_EQ(1u, table_.size());
  EXPECT_EQ((std::map<std::string, uint16_t>{{station(1).to_string(), 2}}), content());
}

TEST_F(MacTableTest, EntriesTellWhatTheyAre) {
  table_.learn(station(1), 1, 17);
  table_.add_static(station(2), 2);
  unsigned entries = 0;
  table_.for_each([&](const MacTable::Entry& entry) {
    ++entries;
    const bool first = entry.address == station(1);
    EXPECT_EQ(first ? 1 : 2, entry.port);
    EXPECT_EQ(!first, entry.is_static);
    if (first) {
      EXPECT_EQ(17u, entry.seen);
    }
  });
  EXPECT_EQ(2u, entries);
}

// --- Static addresses.

TEST_F(MacTableTest, AStaticAddressStaysAndItsFramesElsewhereAreRefused) {
  ASSERT_TRUE(table_.add_static(station(1), 1));
  EXPECT_TRUE(table_.find(station(1)).is_static());
  EXPECT_EQ(1, table_.find(station(1)).port());
  EXPECT_EQ(LearnResult::known, table_.learn(station(1), 1, 5));
  EXPECT_EQ(LearnResult::drop_static, table_.learn(station(1), 2, 5));
  EXPECT_EQ(1, table_.find(station(1)).port());
  EXPECT_EQ(0u, table_.learned_on(1)) << "it does not count as learned";
}

TEST_F(MacTableTest, AStaticAddressReplacesALearnedOne) {
  table_.learn(station(1), 1, 5);
  ASSERT_TRUE(table_.add_static(station(1), 2));
  EXPECT_EQ(2, table_.find(station(1)).port());
  EXPECT_EQ(0u, table_.learned_on(1));
  EXPECT_EQ(1u, table_.size());
  ASSERT_TRUE(table_.add_static(station(1), 2)) << "again is harmless";
  EXPECT_EQ(1u, table_.size());
  EXPECT_TRUE(table_.remove(station(1)));
  EXPECT_EQ(LearnResult::learned, table_.learn(station(1), 3, 6));
  EXPECT_FALSE(table_.find(station(1)).is_static());
}

TEST_F(MacTableTest, RemovingForgetsBothKinds) {
  table_.learn(station(1), 1, 5);
  table_.add_static(station(2), 1);
  EXPECT_TRUE(table_.remove(station(1)));
  EXPECT_TRUE(table_.remove(station(2)));
  EXPECT_FALSE(table_.remove(station(2)));
  EXPECT_EQ(0u, table_.size());
  EXPECT_EQ(0u, table_.learned_on(1));
}

TEST_F(MacTableTest, ZeroIsNobodysAddress) {
  EXPECT_FALSE(table_.remove(MacAddress()));
  EXPECT_FALSE(table_.add_static(MacAddress(), 1));
  EXPECT_EQ(0u, table_.size());
  EXPECT_EQ(0u, table_.learned_on(0));
}

// --- Ageing.

TEST_F(MacTableTest, AddressesAgeOutWhenTheirTimeIsOver) {
  table_.learn(station(1), 1, 100);
  table_.learn(station(2), 1, 150);
  EXPECT_EQ(0u, table_.age(399, 300));
  EXPECT_EQ(1u, table_.age(400, 300));
  EXPECT_FALSE(table_.find(station(1)).found());
  EXPECT_TRUE(table_.find(station(2)).found());
  EXPECT_EQ(1u, table_.learned_on(1));
}

TEST_F(MacTableTest, BeingSeenKeepsAnAddressAlive) {
  table_.learn(station(1), 1, 100);
  EXPECT_EQ(LearnResult::known, table_.learn(station(1), 1, 399));
  EXPECT_EQ(0u, table_.age(500, 300));
  EXPECT_EQ(1u, table_.age(699, 300));
}

TEST_F(MacTableTest, AMoveCountsAsBeingSeen) {
  table_.learn(station(1), 1, 100);
  table_.learn(station(1), 2, 399);
  EXPECT_EQ(0u, table_.age(500, 300));
}

TEST_F(MacTableTest, ASecondThatTheCallerHasNotReachedIsNotOld) {
  table_.learn(station(1), 1, 101);
  EXPECT_EQ(0u, table_.age(100, 1)) << "a worker's clock may be a moment ahead";
  EXPECT_EQ(1u, table_.age(102, 1));
}

TEST_F(MacTableTest, StaticAddressesDoNotAge) {
  table_.add_static(station(1), 1);
  EXPECT_EQ(0u, table_.age(1'000'000, 1));
  EXPECT_TRUE(table_.find(station(1)).found());
}

// --- Flushing.

class FlushTest : public MacTableTest {
 protected:
  FlushTest() {
    for (uint32_t n = 0; n < 300; ++n) table_.learn(station(n), static_cast<uint16_t>(n % 3), 1);
    table_.add_static(station(1000), 1);
    table_.add_static(station(1001), 2);
  }
};

TEST_F(FlushTest, LearnedAddressesOfOnePort) {
  const uint16_t port = 1;
  EXPECT_EQ(100u, table_.flush_learned(&port));
  EXPECT_EQ(0u, table_.learned_on(1));
  EXPECT_EQ(100u, table_.learned_on(2));
  EXPECT_TRUE(table_.find(station(1000)).found());
  EXPECT_FALSE(table_.find(station(1)).found());
  EXPECT_TRUE(table_.find(station(2)).found());
}

TEST_F(FlushTest, LearnedAddressesOfAllPorts) {
  EXPECT_EQ(300u, table_.flush_learned(nullptr));
  EXPECT_EQ(2u, table_.size());
  EXPECT_EQ(0u, table_.flush_learned(nullptr));
}

TEST_F(FlushTest, APortThatGoesTakesItsStaticAddressesToo) {
  EXPECT_EQ(101u, table_.flush_port(1));
  EXPECT_FALSE(table_.find(station(1000)).found());
  EXPECT_TRUE(table_.find(station(1001)).found());
  EXPECT_EQ(0u, table_.learned_on(1));
  EXPECT_EQ(201u, table_.size());
}

}  // namespace
}  // namespace bridge::test
