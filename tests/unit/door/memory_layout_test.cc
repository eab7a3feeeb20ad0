// SET_MEM_TABLE: which tables are let through.
#include "vhost/door/memory_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages.h"
#include "vhost/door/message_rules.h"

namespace vhost::door::test {
namespace {

using ::testing::HasSubstr;

constexpr Region kFirst{0, 4 * kMiB, kUserBase, 0};

std::string refused(std::vector<Region> regions, std::vector<FdFacts> fds) {
  const Message sent = table(regions);
  try {
    MemoryLayout::check(sent.payload_as<RegionTable>(), sent.header.size, fds);
  } catch (const ProtocolError& error) {
    return error.what();
  }
  return {};
}

std::string refused(const Region& region) {
  return refused({region}, {memory_file(8 * kMiB)});
}

TEST(MemoryLayoutTest, OneToEightRegionsWithAsManyFiles) {
  std::vector<Region> regions;
  std::vector<FdFacts> fds;
  EXPECT_THAT(refused(regions, fds), HasSubstr("with 0 regions"));
  for (uint64_t i = 0; i < 8; ++i) {
    regions.push_back({i * kMiB, kMiB, kUserBase + i * kMiB, 0});
    fds.push_back(memory_file(kMiB));
    EXPECT_EQ("", refused(regions, fds));
  }
  fds.pop_back();
  EXPECT_THAT(refused(regions, fds), HasSubstr("8 regions and 7 file descriptors"));
}

TEST(MemoryLayoutTest, TheCountMatchesThePayload) {
  RegionTable payload{};
  payload.count = 2;
  payload.regions[0] = kFirst;
  const std::vector<FdFacts> fds(2, memory_file(4 * kMiB));
  EXPECT_THROW(MemoryLayout::check(payload, 40, fds), ProtocolError);
  payload.count = 9;
  EXPECT_THROW(MemoryLayout::check(payload, 264, fds), ProtocolError);
  payload.count = 0xffffffff;
  EXPECT_THROW(MemoryLayout::check(payload, 264, fds), ProtocolError);
}

TEST(MemoryLayoutTest, RegionsAreNeitherEmptyNorWrapRound) {
  EXPECT_EQ("", refused(kFirst));
  EXPECT_THAT(refused({0, 0, kUserBase, 0}), HasSubstr("region 0: empty"));
  EXPECT_THAT(refused({~uint64_t{0} - 4095, kMiB, kUserBase, 0}), HasSubstr("guest address wraps"));
  EXPECT_THAT(refused({0, kMiB, ~uint64_t{0} - 4095, 0}), HasSubstr("user address wraps"));
  EXPECT_THAT(refused({0, kMiB, kUserBase, ~uint64_t{0} - 4095}), HasSubstr("offset wraps"));
  EXPECT_THAT(refused({0, ~uint64_t{0}, kUserBase, 0}), HasSubstr("wraps"));
  EXPECT_THAT(refused({0, kMiB, 0, 0}), HasSubstr("user address 0"));
}

TEST(MemoryLayoutTest, FilesAreLongEnough) {
  EXPECT_EQ("", refused({0, 4 * kMiB, kUserBase, 4 * kMiB}));
  EXPECT_THAT(refused({0, 4 * kMiB, kUserBase, 4 * kMiB + 1}), HasSubstr("is shorter than"));
  EXPECT_THAT(refused({0, 8 * kMiB + 1, kUserBase, 0}), HasSubstr("is shorter than 8388609"));
}

TEST(MemoryLayoutTest, FilesAreMemory) {
  EXPECT_THAT(refused({kFirst}, {kPipe}), HasSubstr("neither on tmpfs"));
  EXPECT_THAT(refused({kFirst}, {kEventfd}), HasSubstr("neither on tmpfs"));
}

TEST(MemoryLayoutTest, RegionsDoNotOverlap) {
  const std::vector<FdFacts> fds(2, memory_file(4 * kMiB));
  const Region beside{4 * kMiB, 4 * kMiB, kUserBase + 4 * kMiB, 0};
  EXPECT_EQ("", refused({kFirst, beside}, fds));
  EXPECT_EQ("", refused({beside, kFirst}, fds));
  EXPECT_THAT(refused({kFirst, {4 * kMiB - 1, kMiB, kUserBase + 4 * kMiB, 0}}, fds),
              HasSubstr("region 1: overlaps another in guest addresses"));
  EXPECT_THAT(refused({kFirst, {4 * kMiB, kMiB, kUserBase + 4 * kMiB - 1, 0}}, fds),
              HasSubstr("overlaps another in user addresses"));
}

TEST(MemoryLayoutTest, ContainsOnlyWhatLiesInOneRegion) {
  const std::vector<Region> regions{kFirst, {4 * kMiB, kMiB, kUserBase + 4 * kMiB, 0}};
  const std::vector<FdFacts> fds(2, memory_file(4 * kMiB));
  const auto layout =
      MemoryLayout::check(table(regions).payload_as<RegionTable>(), 8 + 2 * sizeof(Region), fds);
  EXPECT_TRUE(layout.contains_user(kUserBase, 4 * kMiB));
  EXPECT_FALSE(layout.contains_user(kUserBase, 4 * kMiB + 1));
  EXPECT_FALSE(layout.contains_user(kUserBase - 1, 2));
  EXPECT_FALSE(layout.contains_user(kUserBase + 5 * kMiB, 1));
  EXPECT_FALSE(layout.contains_user(kUserBase + 1, ~uint64_t{0}));
  EXPECT_EQ(0u, layout.guest_physical(kUserBase));
  EXPECT_EQ(5 * kMiB - 1, layout.guest_physical(kUserBase + 5 * kMiB - 1));
  EXPECT_FALSE(layout.guest_physical(kUserBase + 5 * kMiB));
  EXPECT_FALSE(layout.guest_physical(kUserBase - 1));
  EXPECT_EQ(5 * kMiB - 1, layout.highest_guest_physical());
}

}  // namespace
}  // namespace vhost::door::test
