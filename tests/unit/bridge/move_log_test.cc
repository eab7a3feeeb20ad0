// Moves on their way from a worker to the main thread: in order, bounded, none twice.
#include "bridge/move_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "addresses.h"

namespace bridge::test {
namespace {

TEST(MoveLogTest, WhatGoesInComesOutInOrder) {
  MoveLog log;
  Move move;
  EXPECT_FALSE(log.pop(move));
  log.push({station(1), 1});
  log.push({station(2), 2});
  ASSERT_TRUE(log.pop(move));
  EXPECT_EQ(station(1), move.address);
  EXPECT_EQ(1, move.to);
  ASSERT_TRUE(log.pop(move));
  EXPECT_EQ(station(2), move.address);
  EXPECT_FALSE(log.pop(move));
}

TEST(MoveLogTest, AFullLogKeepsTheOldOnes) {
  MoveLog log;
  for (uint32_t n = 0; n < 100; ++n) log.push({station(n), 1});
  Move move;
  uint32_t popped = 0;
  while (log.pop(move)) EXPECT_EQ(station(popped++), move.address);
  EXPECT_EQ(64u, popped);
  log.push({station(100), 1});
  ASSERT_TRUE(log.pop(move));
  EXPECT_EQ(station(100), move.address);
}

TEST(MoveLogTest, OneThreadWritesAnotherReads) {
  constexpr uint32_t kMoves = 20000;
  MoveLog log;
  std::atomic<bool> written{false};
  std::thread writer([&] {
    for (uint32_t n = 1; n <= kMoves; ++n) log.push({station(n), static_cast<uint16_t>(n % 100)});
    written = true;
  });
  uint64_t last = 0;
  uint32_t popped = 0;
  const auto read_all = [&] {
    Move move;
    while (log.pop(move)) {
      ++popped;
      uint64_t n = 0;
      for (unsigned octet = 2; octet < 6; ++octet) {
        n = n << 8 | (move.address.wire_bits() >> 8 * octet & 0xff);
      }
      EXPECT_GT(n, last) << "in order, none twice";
      EXPECT_EQ(n % 100, move.to);
      last = n;
    }
  };
  while (!written) read_all();
  writer.join();
  read_all();
  EXPECT_GE(popped, 64u);
}

}  // namespace
}  // namespace bridge::test
