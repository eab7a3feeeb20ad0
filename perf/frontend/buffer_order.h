// Where in memory the buffers of a ring's slots lie: one after the other, or scattered, as an
// allocator hands them out once it has been in use. A CPU's prefetchers follow a ring whose buffers
// lie in order, ahead of the other CPU that is still writing them; scattered ones they do not.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace frontend {

// For each slot, which of `size` places is its buffer's. Scattered: the bits of the slot's number
// in reverse, so that neighbours lie far apart, in no constant step. REQUIRES: a power of two.
inline std::vector<uint16_t> buffer_order(uint16_t size, bool scattered) {
  std::vector<uint16_t> places(size);
  for (unsigned slot = 0; slot < size; ++slot) {
    unsigned place = slot;
    if (scattered) {
      place = 0;
      for (unsigned bit = 1; bit < size; bit <<= 1) {
        place = place << 1 | static_cast<unsigned>((slot & bit) != 0);
      }
    }
    places[slot] = static_cast<uint16_t>(place);
  }
  return places;
}

}  // namespace frontend
