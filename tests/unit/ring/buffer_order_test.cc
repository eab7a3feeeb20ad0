#include "vhost/buffer_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace vhost {
namespace {

std::vector<uint32_t> order(bool scattered, uint32_t count) {
  std::vector<uint32_t> order;
  in_buffer_order(scattered, count, [&](uint32_t i) { order.push_back(i); });
  return order;
}

std::vector<uint32_t> straight(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(BufferOrder, IsStraightWhereAskedFor) {
  for (uint32_t count = 0; count <= 256; ++count) {
    EXPECT_EQ(order(false, count), straight(count));
  }
}

TEST(BufferOrder, ScatteredHasEachOnce) {
  for (uint32_t count = 0; count <= 256; ++count) {
    std::vector<uint32_t> numbers = order(true, count);
    std::sort(numbers.begin(), numbers.end());
    EXPECT_EQ(numbers, straight(count)) << count;
  }
}

// What a prefetcher could follow: the same distance three times in a row.
TEST(BufferOrder, ScatteredKeepsNoStride) {
  const std::vector<uint32_t> numbers = order(true, kOrderBlock);
  std::vector<int> steps;
  for (uint32_t i = 1; i < numbers.size(); ++i) {
    steps.push_back(static_cast<int>(numbers[i]) - static_cast<int>(numbers[i - 1]));
  }
  for (uint32_t i = 2; i < steps.size(); ++i) {
    EXPECT_FALSE(steps[i] == steps[i - 1] && steps[i] == steps[i - 2]) << "at " << i;
  }
  const auto next = std::count(steps.begin(), steps.end(), 1);
  EXPECT_LE(next, 4) << "neighbours one behind the other";
}

}  // namespace
}  // namespace vhost
