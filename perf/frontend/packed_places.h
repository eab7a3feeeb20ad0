// What lies in a packed ring (virtio 1.2, 2.8), and a place in it.
//
// Threads: plain values.
#pragma once

#include <cstdint>

namespace frontend {

// virtio 1.2, 2.8.1.
struct PackedDescriptor {
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t id = 0;
  uint16_t flags = 0;
};
static_assert(sizeof(PackedDescriptor) == 16);

inline constexpr uint16_t kPackedAvailable = 1 << 7;
inline constexpr uint16_t kPackedUsed = 1 << 15;
inline constexpr uint16_t kPackedStateBits = kPackedAvailable | kPackedUsed;
inline constexpr uint16_t kPackedWrap = 1 << 15;  // of a place in an event or in SET_VRING_BASE

// Event suppression, 2.8.10.
inline constexpr uint32_t kPackedEventEnable = 0;
inline constexpr uint32_t kPackedEventDisable = 1;
inline constexpr uint32_t kPackedEventDescriptor = 2;

struct PackedPlace {
  uint16_t at = 0;
  bool wrap = true;

  void pass(uint16_t steps, uint16_t size) {
    at = static_cast<uint16_t>(at + steps);
    if (at < size) return;
    at = static_cast<uint16_t>(at - size);
    wrap = !wrap;
  }
  // What a descriptor's flags say when it is available, or used, in this lap.
  uint16_t available() const { return wrap ? kPackedAvailable : kPackedUsed; }
  uint16_t used() const { return wrap ? kPackedStateBits : uint16_t{0}; }
  uint16_t base() const { return static_cast<uint16_t>(at | (wrap ? kPackedWrap : 0)); }
  // Whether this place was reached from `steps` before by passing `event`.
  bool passed(uint16_t event, uint16_t steps, uint16_t size) const {
    const bool same_lap = ((event & kPackedWrap) != 0) == wrap;
    const uint32_t behind = at + (same_lap ? 0u : size) - (event & (kPackedWrap - 1u));
    return behind - 1u < steps;
  }
};

}  // namespace frontend
