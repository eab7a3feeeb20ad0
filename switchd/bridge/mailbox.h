// A bounded queue from one thread to another, neither of which may wait for the other.
//
// Threads: push() by one, pop() by another; empty() by the one that pops.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace bridge {

template <typename Letter>
class Mailbox {
 public:
  // False: it is full.
  bool push(Letter letter) noexcept {
    const uint32_t at = written_.load(std::memory_order_relaxed);
    if (at - read_.load(std::memory_order_acquire) == kLetters) return false;
    letters_[at % kLetters] = letter;
    written_.store(at + 1, std::memory_order_release);
    return true;
  }
  bool pop(Letter& letter) noexcept {
    const uint32_t at = read_.load(std::memory_order_relaxed);
    if (at == written_.load(std::memory_order_acquire)) return false;
    letter = letters_[at % kLetters];
    read_.store(at + 1, std::memory_order_release);
    return true;
  }
  bool empty() const noexcept {
    return read_.load(std::memory_order_relaxed) == written_.load(std::memory_order_acquire);
  }

 private:
  static constexpr uint32_t kLetters = 64;
  std::array<Letter, kLetters> letters_{};
  std::atomic<uint32_t> written_{0};
  std::atomic<uint32_t> read_{0};
};

}  // namespace bridge
