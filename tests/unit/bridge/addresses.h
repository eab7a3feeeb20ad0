// Addresses for the bridge's tests.
#pragma once

#include <cstdint>

#include "bridge/mac_address.h"

namespace bridge::test {

// The nth of many stations: counts in the last octets, as vendors do.
inline MacAddress station(uint32_t n) {
  uint64_t bits = 0x0252;  // 52:02:... individual, locally administered
  for (unsigned octet = 2; octet < 6; ++octet) {
    bits |= uint64_t{n >> 8 * (5 - octet) & 0xff} << 8 * octet;
  }
  return MacAddress::from_wire_bits(bits);
}

inline MacAddress address(const char* text) {
  return MacAddress::parse(text).value();
}

inline const MacAddress kBroadcast = address("ff:ff:ff:ff:ff:ff");

}  // namespace bridge::test
