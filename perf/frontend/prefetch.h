// Prefetching for writing. The builtin becomes a prefetch for reading where the compiler may not
// assume PREFETCHW; every x86-64 CPU executes that one (at worst as nothing).
#pragma once

namespace frontend {

inline void prefetch_for_writing(const void* address) {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
}

inline constexpr unsigned kCacheLine = 64;

// Distance between buffers of `bytes`: whole lines, an odd number of them.
constexpr unsigned long stride_for(unsigned long bytes) {
  return ((bytes + kCacheLine - 1) / kCacheLine | 1) * kCacheLine;
}

}  // namespace frontend
