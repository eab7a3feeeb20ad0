// Addresses and frames that are no guest's of a crowd.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "frontend/frame.h"

namespace testbed {

// In the low 48 bits, first byte lowest (frontend/frame.h).
inline constexpr uint64_t kUnknownAddress = 0x0000'0099'9902;
inline constexpr uint64_t kMulticastAddress = 0x0100'005e'0001;
// 01:80:C2:00:00:00: the switch consumes what is sent there (IEEE 802.1Q-2018, 8.6.3).
inline constexpr uint64_t kLinkLocalAddress = 0x0000'00c2'8001;

// Two addresses, and zeros. Shorter than 12 bytes: what there is room for.
inline std::vector<uint8_t> frame_between(uint64_t destination, uint64_t source, std::size_t size) {
  std::vector<uint8_t> frame(std::max<std::size_t>(size, 16));
  frontend::store_word(frame.data(), destination | source << 48);
  frontend::store_word(frame.data() + 8, source >> 16 & 0xffff'ffff);
  frame.resize(size);
  return frame;
}

}  // namespace testbed
