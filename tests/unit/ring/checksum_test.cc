// The Internet checksum against the RFC's own loop.
#include "vhost/checksum.h"

#include "ring/offload_frames.h"

namespace vhost::test {
namespace {

// As it lies in memory, big-endian.
uint16_t stored(uint32_t value) {
  return __builtin_bswap16(static_cast<uint16_t>(value));
}

TEST(InternetSum, EveryShortLengthFromEveryOffset) {
  const Bytes bytes = pattern(400);
  for (size_t from = 0; from < 16; ++from) {
    for (size_t length = 0; length < 300; ++length) {
      InternetSum sum;
      sum.add(bytes.data() + from, length);
      ASSERT_EQ(stored(ones_sum(bytes, from, from + length)), sum.folded())
          << from << " " << length;
    }
  }
}

TEST(InternetSum, PiecesOfAnyLengthAddUpToTheWhole) {
  const Bytes bytes = pattern(1000);
  const uint16_t whole = stored(ones_sum(bytes, 0, bytes.size()));
  for (size_t first = 0; first < 40; ++first) {
    for (size_t step = 1; step < 40; ++step) {
      InternetSum sum;
      sum.add(bytes.data(), first);
      for (size_t at = first; at < bytes.size(); at += step) {
        sum.add(bytes.data() + at, std::min(step, bytes.size() - at));
      }
      ASSERT_EQ(whole, sum.folded()) << first << " " << step;
    }
  }
}

TEST(InternetSum, CopiesWhatItSumsUpAndNotAByteBeside) {
  const Pages from(300);
  const Pages to(300);
  const Bytes bytes = pattern(300);
  std::copy(bytes.begin(), bytes.end(), from.data());
  for (size_t length = 0; length <= 300; ++length) {
    std::fill_n(to.data(), 300, uint8_t{0xee});
    InternetSum sum;
    sum.copy(to.data() + 300 - length, from.data() + 300 - length, length);
    ASSERT_EQ(stored(ones_sum(bytes, 300 - length, 300)), sum.folded());
    ASSERT_TRUE(std::equal(bytes.end() - static_cast<ptrdiff_t>(length), bytes.end(),
                           to.data() + 300 - length));
    ASSERT_TRUE(
        std::all_of(to.data(), to.data() + 300 - length, [](uint8_t b) { return b == 0xee; }));
  }
}

TEST(InternetSum, CarriesAreNotLost) {
  const Bytes ones(65536, 0xff);
  InternetSum sum;
  for (int i = 0; i < 100; ++i) sum.add(ones.data(), ones.size());
  EXPECT_EQ(0xffff, sum.folded());
  EXPECT_EQ(0xffff, sum.checksum()) << "never zero";
}

}  // namespace
}  // namespace vhost::test
