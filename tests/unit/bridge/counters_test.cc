// Counters by name: as many names as counters, each once, and sums that can be checked.
#include "bridge/counters.h"

#include <gtest/gtest.h>

#include <set>

#include "bridge/bridge.h"

namespace bridge::test {
namespace {

template <typename Names>
void expect_distinct(const Names& names) {
  const std::set<std::string_view> distinct(names.begin(), names.end());
  EXPECT_EQ(names.size(), distinct.size());
  EXPECT_FALSE(distinct.contains(""));
}

TEST(CountersTest, EveryCounterHasItsOwnName) {
  expect_distinct(kIngressNames);
  expect_distinct(kEgressNames);
  expect_distinct(kLearningNames);
  EXPECT_EQ("drop_no_receiver", kIngressNames[static_cast<size_t>(Ingress::drop_no_receiver)]);
  EXPECT_EQ("drop_malformed", kIngressNames[static_cast<size_t>(Ingress::drop_malformed)]);
  EXPECT_EQ("consumed", kIngressNames[static_cast<size_t>(Ingress::consumed)]);
  EXPECT_EQ("drop_malformed", kEgressNames[static_cast<size_t>(Egress::drop_malformed)]);
  EXPECT_EQ("drop_no_guest", kEgressNames[static_cast<size_t>(Egress::drop_no_guest)]);
  EXPECT_EQ("table_full", kLearningNames[static_cast<size_t>(Learning::table_full)]);
}

TEST(CountersTest, BlocksAddUpAndAreCleared) {
  CounterBlock<Ingress> block;
  block.add(Ingress::bytes, uint64_t{1} << 40);
  block.add(Ingress::bytes, 5);
  block.add_if_any(Ingress::flooded, 0);
  block.add_if_any(Ingress::flooded, 3);
  EXPECT_EQ((uint64_t{1} << 40) + 5, block.get(static_cast<size_t>(Ingress::bytes)));
  EXPECT_EQ(3u, block.get(static_cast<size_t>(Ingress::flooded)));
  EXPECT_EQ(0u, block.get(static_cast<size_t>(Ingress::frames)));
  block.clear();
  for (size_t i = 0; i < kCount<Ingress>; ++i) EXPECT_EQ(0u, block.get(i));
}

// A list holds a whole batch at the most: no class runs into the next.
TEST(TallyTest, ABatchOfOneClassDoesNotReachTheNext) {
  constexpr uint32_t kMost = vhost::Batch::kCapacity;
  const auto split = [](uint32_t sum) {
    return std::array{tally::unicast(sum), tally::multicast(sum), tally::broadcast(sum)};
  };
  EXPECT_EQ((std::array{kMost, 0u, 0u}), split(kMost * tally::kUnicast));
  EXPECT_EQ((std::array{0u, kMost, 0u}), split(kMost * tally::kMulticast));
  EXPECT_EQ((std::array{0u, 0u, kMost}), split(kMost * tally::kBroadcast));
  EXPECT_EQ((std::array{100u, 90u, 66u}),
            split(100 * tally::kUnicast + 90 * tally::kMulticast + 66 * tally::kBroadcast));
}

}  // namespace
}  // namespace bridge::test
