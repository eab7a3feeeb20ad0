// Who reaches whom, as policies say of each pair of ports.
#include "bridge/topology.h"

#include <gmock/gmock.h>

#include "policy/table.h"

namespace bridge::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr policy::PortRules kOpen{};
constexpr policy::PortRules kIsolated{.isolated = true};

TEST(PolicyTest, IsolationAllowsAllButTwoIsolatedPorts) {
  EXPECT_TRUE(policy::may_reach(kOpen, kOpen));
  EXPECT_TRUE(policy::may_reach(kOpen, kIsolated));
  EXPECT_TRUE(policy::may_reach(kIsolated, kOpen));
  EXPECT_FALSE(policy::may_reach(kIsolated, kIsolated));
}

TEST(TopologyTest, NobodyReachesAnybodyInAnEmptyOne) {
  const Topology topology;
  for (uint16_t port = 0; port < Topology::kPorts; ++port) {
    EXPECT_FALSE(topology.has(port));
    EXPECT_THAT(topology.flood(port), IsEmpty());
    EXPECT_FALSE(topology.reaches(port, 0));
  }
}

TEST(TopologyTest, OnePortReachesNobodyNotEvenItself) {
  const Topology topology({{7, kOpen}});
  EXPECT_TRUE(topology.has(7));
  EXPECT_FALSE(topology.reaches(7, 7));
  EXPECT_THAT(topology.flood(7), IsEmpty());
}

TEST(TopologyTest, OpenPortsReachEachOther) {
  const Topology topology({{3, kOpen}, {0, kOpen}, {255, kOpen}});
  EXPECT_THAT(topology.flood(0), ElementsAre(3, 255));
  EXPECT_THAT(topology.flood(255), ElementsAre(3, 0));
  EXPECT_TRUE(topology.reaches(0, 255));
  EXPECT_TRUE(topology.reaches(255, 0));
  EXPECT_FALSE(topology.reaches(0, 1)) << "which is not there";
  EXPECT_FALSE(topology.reaches(1, 0));
}

TEST(TopologyTest, IsolatedPortsReachTheRouterAlone) {
  const Topology topology({{0, kOpen}, {1, kIsolated}, {2, kIsolated}, {3, kOpen}});
  EXPECT_THAT(topology.flood(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(topology.flood(1), ElementsAre(0, 3));
  EXPECT_THAT(topology.flood(2), ElementsAre(0, 3));
  EXPECT_FALSE(topology.reaches(1, 2));
  EXPECT_FALSE(topology.reaches(2, 1));
  EXPECT_TRUE(topology.reaches(1, 0));
  EXPECT_TRUE(topology.reaches(3, 2));
}

TEST(TopologyTest, AllPortsThereCanBe) {
  std::vector<TopologyPort> ports;
  for (uint16_t port = 0; port < Topology::kPorts; ++port) {
    ports.push_back({port, port % 2 == 0 ? kOpen : kIsolated});
  }
  const Topology topology(ports);
  EXPECT_THAT(topology.flood(0), SizeIs(255));
  EXPECT_THAT(topology.flood(1), SizeIs(128));
}

}  // namespace
}  // namespace bridge::test
