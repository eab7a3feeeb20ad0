// Translation of guest-physical addresses: nothing outside a region is ever reached.
#include "vhost/guest_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace vhost::test {
namespace {

constexpr uint64_t kStart = 0x40000000;
constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();

class GuestMemoryTest : public ::testing::Test {
 protected:
  // `size` bytes at `guest`, somewhere in the test's own memory.
  uint8_t* add(uint64_t guest, uint64_t size) {
    uint8_t* host = host_.data() + 4096 * memory_.count();
    memory_.add({guest, size, host});
    cache_.reset(&memory_);
    return host;
  }
  uint8_t* translate(uint64_t guest, uint32_t length) {
    // The answer may not depend on what was asked before.
    RegionCache fresh;
    fresh.reset(&memory_);
    uint8_t* answer = fresh.translate(guest, length);
    EXPECT_EQ(answer, cache_.translate(guest, length));
    return answer;
  }

  std::array<uint8_t, 16 * 4096> host_{};
  GuestMemory memory_;
  RegionCache cache_;
};

TEST_F(GuestMemoryTest, EmptyMemoryHasNothing) {
  cache_.reset(&memory_);
  EXPECT_EQ(nullptr, translate(0, 0));
  EXPECT_EQ(nullptr, translate(kStart, 1));
  EXPECT_EQ(0u, memory_.find(0).size);
  EXPECT_FALSE(memory_.holds_host(host_.data(), 1));
}

TEST_F(GuestMemoryTest, EveryByteOfARegionAndNoneBeside) {
  uint8_t* host = add(kStart, 4096);
  EXPECT_EQ(nullptr, translate(kStart - 1, 1));
  for (uint64_t i = 0; i < 4096; ++i) ASSERT_EQ(host + i, translate(kStart + i, 1));
  EXPECT_EQ(nullptr, translate(kStart + 4096, 1));
  EXPECT_EQ(nullptr, translate(kStart + 4096, 0)) << "the end is no place";
}

TEST_F(GuestMemoryTest, TheLengthIsCheckedAtTheEnd) {
  uint8_t* host = add(kStart, 4096);
  EXPECT_EQ(host, translate(kStart, 4096));
  EXPECT_EQ(nullptr, translate(kStart, 4097));
  EXPECT_EQ(host + 4000, translate(kStart + 4000, 96));
  EXPECT_EQ(nullptr, translate(kStart + 4000, 97));
  EXPECT_EQ(nullptr, translate(kStart + 4095, 2));
  EXPECT_EQ(nullptr, translate(kStart + 4095, 0xffffffff));
  EXPECT_EQ(nullptr, translate(kStart - 1, 2)) << "begins before it";
}

TEST_F(GuestMemoryTest, NothingWrapsAtTheTopOfTheAddressSpace) {
  add(kTop - 4095, 4096);  // its end would be 2^64
  add(kTop - 10, 4096);
  EXPECT_EQ(0u, memory_.count());
  uint8_t* host = add(kTop - 4096, 4096);
  EXPECT_EQ(host + 4095, translate(kTop - 1, 1));
  EXPECT_EQ(nullptr, translate(kTop - 1, 2));
  EXPECT_EQ(nullptr, translate(kTop, 1));
  EXPECT_EQ(nullptr, translate(0, 1));
}

TEST_F(GuestMemoryTest, ARegionAtZero) {
  uint8_t* host = add(0, 4096);
  EXPECT_EQ(host, translate(0, 4096));
  EXPECT_EQ(nullptr, translate(kTop, 1));
}

TEST_F(GuestMemoryTest, ARegionOfSizeZeroIsLeftOut) {
  add(kStart, 0);
  EXPECT_EQ(0u, memory_.count());
  EXPECT_EQ(nullptr, translate(kStart, 0));
}

TEST_F(GuestMemoryTest, AdjacentRegionsAreNotOneInTheHost) {
  uint8_t* low = add(kStart, 256);
  uint8_t* high = add(kStart + 256, 256);
  EXPECT_EQ(low + 255, translate(kStart + 255, 1));
  EXPECT_EQ(high, translate(kStart + 256, 1));
  EXPECT_EQ(nullptr, translate(kStart + 255, 2));

  uint64_t available = 0;
  EXPECT_EQ(low + 200, cache_.translate_some(kStart + 200, available));
  EXPECT_EQ(56u, available);
  EXPECT_EQ(high, cache_.translate_some(kStart + 200 + available, available));
  EXPECT_EQ(256u, available);
  EXPECT_EQ(nullptr, cache_.translate_some(kStart + 512, available));
}

TEST_F(GuestMemoryTest, EightRegionsAreKeptAndANinthIsNot) {
  std::array<uint8_t*, 9> host{};
  for (unsigned i = 0; i < 9; ++i) host[i] = add(kStart + i * 0x10000, 4096);
  EXPECT_EQ(GuestMemory::kMaxRegions, memory_.count());
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(host[i] + 7, translate(kStart + i * 0x10000 + 7, 99));
  EXPECT_EQ(nullptr, translate(kStart + 8 * 0x10000, 1));
}

TEST_F(GuestMemoryTest, TheCacheForgetsAnotherTable) {
  uint8_t* host = add(kStart, 4096);
  EXPECT_EQ(host, cache_.translate(kStart, 1));
  GuestMemory other;
  other.add({kStart, 4096, host_.data() + 8 * 4096});
  cache_.reset(&other);
  EXPECT_EQ(host_.data() + 8 * 4096, cache_.translate(kStart, 1));
  const GuestMemory none;
  cache_.reset(&none);
  EXPECT_EQ(nullptr, cache_.translate(kStart, 1));
}

TEST_F(GuestMemoryTest, TheCacheSurvivesMisses) {
  uint8_t* host = add(kStart, 4096);
  EXPECT_EQ(host, cache_.translate(kStart, 16));
  EXPECT_EQ(nullptr, cache_.translate(0, 16));
  EXPECT_EQ(host, cache_.translate(kStart, 16));
  uint64_t available = 0;
  EXPECT_EQ(nullptr, cache_.translate_some(0, available));
  EXPECT_EQ(host, cache_.translate_some(kStart, available));
}

TEST_F(GuestMemoryTest, HostRangesLieInsideOneRegion) {
  uint8_t* low = add(kStart, 4096);
  add(kStart + 0x10000, 4096);  // right behind it in the host
  EXPECT_TRUE(memory_.holds_host(low, 4096));
  EXPECT_FALSE(memory_.holds_host(low, 4097));
  EXPECT_TRUE(memory_.holds_host(low + 4095, 1));
  EXPECT_FALSE(memory_.holds_host(low + 4095, 2));
  EXPECT_TRUE(memory_.holds_host(low + 4096, 4096));
  EXPECT_FALSE(memory_.holds_host(low + 8192, 1));
  EXPECT_FALSE(memory_.holds_host(low - 1, 2));
  EXPECT_FALSE(memory_.holds_host(low + 8, std::numeric_limits<size_t>::max()));
  EXPECT_FALSE(memory_.holds_host(nullptr, 1));
}

}  // namespace
}  // namespace vhost::test
