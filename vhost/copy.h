// Exact copies of small things: never a byte read or written outside [0, length), because what lies
// beyond a frame belongs to a guest that did not send it. Short lengths are covered by overlapping
// loads instead of byte loops. Vectors of 32 bytes become what the CPU level has.
//
// Threads: pure functions. Source and destination do not overlap; guests that map their buffers on
// top of each other get garbage in their own memory, no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vhost {

using Vector32 = uint8_t __attribute__((vector_size(32), aligned(1), may_alias));
using Vector16 = uint8_t __attribute__((vector_size(16), aligned(1), may_alias));

[[gnu::always_inline]] inline Vector32 load32(const uint8_t* from) noexcept {
  return *reinterpret_cast<const Vector32*>(from);
}
[[gnu::always_inline]] inline void store32(uint8_t* to, Vector32 value) noexcept {
  *reinterpret_cast<Vector32*>(to) = value;
}
[[gnu::always_inline]] inline Vector16 load16(const uint8_t* from) noexcept {
  return *reinterpret_cast<const Vector16*>(from);
}
[[gnu::always_inline]] inline void store16(uint8_t* to, Vector16 value) noexcept {
  *reinterpret_cast<Vector16*>(to) = value;
}

// Fixes a value that was loaded from guest memory: without it the compiler may load parts of it
// again where they are used, and find something else there.
[[gnu::always_inline]] inline void pin(Vector16& value) noexcept {
  asm("" : "+x"(value));
}
[[gnu::always_inline]] inline void pin(Vector32& value) noexcept {
#ifdef __AVX__
  asm("" : "+x"(value));
#else
  asm("" : "+m"(value));
#endif
}

// Up to 31 bytes.
[[gnu::always_inline]] inline void copy_below_32(uint8_t* to, const uint8_t* from,
                                                 size_t length) noexcept {
  if (length >= 16) {
    const Vector16 first = load16(from);
    const Vector16 last = load16(from + length - 16);
    store16(to, first);
    store16(to + length - 16, last);
  } else if (length >= 8) {
    uint64_t first;
    uint64_t last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, from + length - 8, 8);
    std::memcpy(to, &first, 8);
    std::memcpy(to + length - 8, &last, 8);
  } else if (length >= 4) {
    uint32_t first;
    uint32_t last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + length - 4, 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + length - 4, &last, 4);
  } else {
    for (size_t i = 0; i < length; ++i) to[i] = from[i];
  }
}

// Up to 128 bytes: the head of a frame.
[[gnu::always_inline]] inline void copy_up_to_128(uint8_t* to, const uint8_t* from,
                                                  size_t length) noexcept {
  if (length < 32) return copy_below_32(to, from, length);
  const Vector32 first = load32(from);
  const Vector32 last = load32(from + length - 32);
  if (length > 64) {
    const Vector32 second = load32(from + 32);
    if (length > 96) store32(to + 64, load32(from + 64));
    store32(to + 32, second);
  }
  store32(to, first);
  store32(to + length - 32, last);
}

// From here on the CPU's own string copy is faster: it need not read the lines that it writes
// whole.
inline constexpr size_t kStringBytes = 2048;
[[gnu::always_inline]] inline void copy_string(uint8_t* to, const uint8_t* from,
                                               size_t length) noexcept {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

// Any length: the tail of a frame.
[[gnu::always_inline]] inline void copy_bytes(uint8_t* to, const uint8_t* from,
                                              size_t length) noexcept {
  if (length < 32) return copy_below_32(to, from, length);
  if (__builtin_expect(length >= kStringBytes, 0)) return copy_string(to, from, length);
  const Vector32 last = load32(from + length - 32);
  size_t done = 0;
  for (; done + 128 <= length; done += 128) {
    const Vector32 a = load32(from + done);
    const Vector32 b = load32(from + done + 32);
    const Vector32 c = load32(from + done + 64);
    const Vector32 d = load32(from + done + 96);
    store32(to + done, a);
    store32(to + done + 32, b);
    store32(to + done + 64, c);
    store32(to + done + 96, d);
  }
  for (; done + 32 <= length; done += 32) store32(to + done, load32(from + done));
  store32(to + length - 32, last);
}

[[gnu::always_inline]] inline void prefetch(const void* address) noexcept {
  __builtin_prefetch(address, 0, 3);
}

// For ownership, since the line will be written. A no-op encoding on CPUs without it.
[[gnu::always_inline]] inline void prefetch_for_write(const void* address) noexcept {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
}

}  // namespace vhost
