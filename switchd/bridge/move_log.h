// Addresses that moved, on their way from a worker to the main thread, which tells the operator.
//
// Bounded: when the main thread is behind, moves are still counted but no longer named.
//
// Threads: one writer (the worker), one reader (main).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "bridge/mac_address.h"

namespace bridge {

struct Move {
  MacAddress address;
  uint16_t to = 0;
};

class MoveLog {
 public:
  void push(Move move) noexcept {
    const uint32_t at = written_.load(std::memory_order_relaxed);
    if (at - read_.load(std::memory_order_acquire) == kEntries) return;
    entries_[at % kEntries] = move;
    written_.store(at + 1, std::memory_order_release);
  }
  bool pop(Move& move) noexcept {
    const uint32_t at = read_.load(std::memory_order_relaxed);
    if (at == written_.load(std::memory_order_acquire)) return false;
    move = entries_[at % kEntries];
    read_.store(at + 1, std::memory_order_release);
    return true;
  }

 private:
  static constexpr uint32_t kEntries = 64;
  std::array<Move, kEntries> entries_{};
  std::atomic<uint32_t> written_{0};
  std::atomic<uint32_t> read_{0};
};

}  // namespace bridge
