// Copies of every short length, exact to the byte: the source ends where memory ends, and nothing
// beside the destination changes.
#include "vhost/copy.h"

#include <gtest/gtest.h>

#include "ring/simulated_guest.h"

namespace vhost::test {
namespace {

constexpr size_t kMost = 700;
constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xee;

using Copy = void (*)(uint8_t*, const uint8_t*, size_t);

// From and to memory whose next byte cannot be touched, and into the middle of guard bytes.
void expect_exact(Copy copy, size_t longest) {
  const Bytes bytes = pattern(longest);
  for (size_t length = 0; length <= longest; ++length) {
    const Pages source(length);
    std::copy_n(bytes.begin(), length, source.data());
    const Pages target(length);
    copy(target.data(), source.data(), length);
    ASSERT_TRUE(
        std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length), target.data()))
        << length;

    Bytes guarded(kGuard + length + kGuard, kUntouched);
    copy(guarded.data() + kGuard, source.data(), length);
    Bytes expected(guarded.size(), kUntouched);
    std::copy_n(bytes.begin(), length, expected.begin() + kGuard);
    ASSERT_EQ(expected, guarded) << length;
  }
}

// At every alignment of both sides; reads beside the source are the other test's business.
void expect_exact_at_any_alignment(Copy copy, size_t longest) {
  const Bytes bytes = pattern(longest + kGuard);
  for (size_t length = 0; length <= longest; length += length < 70 ? 1 : 37) {
    for (size_t shift = 0; shift < 33; ++shift) {
      Bytes target(kGuard + length + kGuard, kUntouched);
      copy(target.data() + (32 - shift), bytes.data() + shift, length);
      Bytes expected(target.size(), kUntouched);
      std::copy_n(bytes.data() + shift, length, expected.data() + (32 - shift));
      ASSERT_EQ(expected, target) << length << " at " << shift;
    }
  }
}

TEST(CopyTest, CopyBelow32) {
  const Copy copy = [](uint8_t* to, const uint8_t* from, size_t length) {
    copy_below_32(to, from, length);
  };
  expect_exact(copy, 31);
  expect_exact_at_any_alignment(copy, 31);
}

TEST(CopyTest, CopyUpTo128) {
  const Copy copy = [](uint8_t* to, const uint8_t* from, size_t length) {
    copy_up_to_128(to, from, length);
  };
  expect_exact(copy, 128);
  expect_exact_at_any_alignment(copy, 128);
}

TEST(CopyTest, CopyBytes) {
  const Copy copy = [](uint8_t* to, const uint8_t* from, size_t length) {
    copy_bytes(to, from, length);
  };
  expect_exact(copy, kMost);
  expect_exact_at_any_alignment(copy, kMost);
}

TEST(CopyTest, CopyBytesOfLargeFrames) {
  for (const size_t length : {1500u, 1518u, 4095u, 4096u, 4097u, 9000u, 9234u, 65535u}) {
    const Bytes bytes = pattern(length);
    const Pages source(length);
    const Pages target(length);
    std::copy(bytes.begin(), bytes.end(), source.data());
    copy_bytes(target.data(), source.data(), length);
    EXPECT_EQ(bytes, Bytes(target.data(), target.data() + length)) << length;
  }
}

}  // namespace
}  // namespace vhost::test
