// In which order the buffers of a delivery are written.
//
// A driver mostly posts its buffers as they lie in memory and reads them in that order. The
// hardware prefetchers of its CPU then run ahead of it, into buffers that are being written here,
// and those of this CPU ahead of the writing: each line changes hands more often than it is used,
// and a line that was fetched for reading costs more to write than one that was not fetched at all.
// So short frames are written in an order that no prefetcher follows (the cell
// pair-64-256macs-touch of perf/compare shows what it is worth). Long ones are better written in
// order: most of their lines are written to the end, for which prefetching is good.
//
// Frames keep their order all the same: it is that of the used ring.
//
// Threads: constants.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace vhost {

// Buffers are ordered in blocks of so many.
inline constexpr uint32_t kOrderBlock = 64;

namespace buffer_order {
using Row = std::array<uint8_t, kOrderBlock>;
using Rows = std::array<Row, kOrderBlock + 1>;

// Row n has the numbers below n shuffled; row 0 has all in order.
constexpr Rows make_rows() noexcept {
  Row shuffled{};
  for (uint32_t i = 0; i < kOrderBlock; ++i) shuffled[i] = static_cast<uint8_t>(i);
  Rows rows{};
  rows[0] = shuffled;
  uint64_t state = 5;
  for (uint32_t left = kOrderBlock; left > 1; --left) {  // Fisher and Yates
    state = state * 6364136223846793005 + 1442695040888963407;
    std::swap(shuffled[left - 1], shuffled[(state >> 33) % left]);
  }
  for (uint32_t n = 1; n <= kOrderBlock; ++n) {
    uint32_t filled = 0;
    for (const uint8_t number : shuffled) {
      if (number < n) rows[n][filled++] = number;
    }
  }
  return rows;
}
inline constexpr Rows kRows = make_rows();
}  // namespace buffer_order

// action(i) once for each i in [0, count).
template <typename Action>
[[gnu::always_inline]] inline void in_buffer_order(bool scattered, uint32_t count,
                                                   Action action) noexcept {
  for (uint32_t first = 0; first < count; first += kOrderBlock) {
    const uint32_t block = std::min(kOrderBlock, count - first);
    const buffer_order::Row& row = buffer_order::kRows[scattered ? block : 0];
    for (uint32_t i = 0; i < block; ++i) action(first + row[i]);
  }
}

}  // namespace vhost
