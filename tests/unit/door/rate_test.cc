// The two rates, on a clock of the test's own.
#include "vhost/door/rate.h"

#include <gtest/gtest.h>

namespace vhost::door::test {
namespace {

using std::chrono::milliseconds;

const Clock::time_point kStart{std::chrono::hours(1)};

TEST(SlidingWindowTest, NoMoreThanTheLimitInAnySecond) {
  SlidingWindow window(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(window.next(), kStart);
    window.count(kStart + milliseconds(100 * i));
  }
  EXPECT_EQ(kStart + milliseconds(1000), window.next());
  window.count(kStart + milliseconds(1000));
  EXPECT_EQ(kStart + milliseconds(1100), window.next());
}

TEST(TokenBucketTest, ABurstThenASteadyRate) {
  TokenBucket bucket(4, 100);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Clock::duration::zero(), bucket.take(kStart));
  EXPECT_EQ(milliseconds(10), bucket.take(kStart));
  EXPECT_EQ(milliseconds(20), bucket.take(kStart));
  EXPECT_EQ(Clock::duration::zero(), bucket.take(kStart + milliseconds(60)));
}

TEST(TokenBucketTest, SomeThingsCostMore) {
  TokenBucket bucket(60, 1000);
  EXPECT_EQ(Clock::duration::zero(), bucket.take(kStart, 50));
  EXPECT_EQ(milliseconds(40), bucket.take(kStart, 50));
  EXPECT_EQ(milliseconds(41), bucket.take(kStart));
}

TEST(TokenBucketTest, RestDoesNotSaveUpMoreThanTheBurst) {
  TokenBucket bucket(2, 100);
  bucket.take(kStart);
  const auto later = kStart + std::chrono::hours(1);
  EXPECT_EQ(Clock::duration::zero(), bucket.take(later));
  EXPECT_EQ(Clock::duration::zero(), bucket.take(later));
  EXPECT_EQ(milliseconds(10), bucket.take(later));
}

}  // namespace
}  // namespace vhost::door::test
