// The Internet checksum (RFC 1071) of bytes that come in pieces, summed up alone or while they are
// copied. Sums are kept of 16-bit words as they lie in memory, so a result is stored as it is.
//
// Threads: a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vhost {

class InternetSum {
 public:
  void add(const uint8_t* bytes, size_t length) noexcept {
    uint64_t sum = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) add_word(sum, word_at(bytes + at));
    if (at < length) add_word(sum, rest_of(bytes + at, length - at));
    join(sum, length);
  }
  // A 16-bit word as it lies in memory. Only at an even offset.
  void add_stored(uint16_t word) noexcept { sum_ += word; }

  // Copies and adds what was copied: the sender's bytes are read once.
  void copy(uint8_t* __restrict to, const uint8_t* __restrict from, size_t length) noexcept {
    uint64_t sum = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
      const uint64_t word = word_at(from + at);
      std::memcpy(to + at, &word, sizeof(word));
      add_word(sum, word);
    }
    if (at < length) {
      const uint64_t word = rest_of(from + at, length - at);
      for (size_t i = 0; at + i < length; ++i) to[at + i] = static_cast<uint8_t>(word >> 8 * i);
      add_word(sum, word);
    }
    join(sum, length);
  }

  uint16_t folded() const noexcept { return fold(sum_); }
  // What goes into a checksum field. Zero would say that there is none (RFC 768); its complement
  // is the same number.
  uint16_t checksum() const noexcept {
    const auto value = static_cast<uint16_t>(~folded());
    return value != 0 ? value : uint16_t{0xffff};
  }

 private:
  static uint64_t word_at(const uint8_t* from) noexcept {
    uint64_t word;
    std::memcpy(&word, from, sizeof(word));
    return word;
  }
  // Up to seven bytes, with zeros behind them.
  static uint64_t rest_of(const uint8_t* from, size_t length) noexcept {
    uint64_t word = 0;
    for (size_t i = 0; i < length; ++i) word |= uint64_t{from[i]} << 8 * i;
    return word;
  }
  // No carry is lost below 2^31 such words.
  static void add_word(uint64_t& sum, uint64_t word) noexcept {
    sum += static_cast<uint32_t>(word);
    sum += word >> 32;
  }
  static uint16_t fold(uint64_t sum) noexcept {
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
  }
  // Bytes that begin at an odd offset have their halves changed over.
  void join(uint64_t sum, size_t length) noexcept {
    const uint16_t words = fold(sum);
    sum_ += odd_ ? __builtin_bswap16(words) : words;
    odd_ ^= (length & 1) != 0;
  }

  uint64_t sum_ = 0;
  bool odd_ = false;
};

}  // namespace vhost
