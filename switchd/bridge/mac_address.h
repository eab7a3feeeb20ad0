// A 48-bit MAC address (IEEE 802-2014, 8.2) in a register.
//
// Threads: a plain value.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace bridge {

class MacAddress {
 public:
  constexpr MacAddress() = default;
  // The low 48 bits are the six octets in the order of the wire, first octet lowest: what a
  // little-endian load of a frame's address gives.
  static constexpr MacAddress from_wire_bits(uint64_t bits) { return MacAddress(bits & kMask); }
  static std::optional<MacAddress> parse(std::string_view text);  // 52:54:00:12:34:56

  constexpr uint64_t wire_bits() const { return bits_; }
  constexpr bool is_zero() const { return bits_ == 0; }
  // The I/G bit is the first bit on the wire (IEEE 802-2014, 8.2.2).
  constexpr bool is_group() const { return (bits_ & 1) != 0; }
  constexpr bool is_broadcast() const { return bits_ == kMask; }
  std::string to_string() const;

  constexpr bool operator==(const MacAddress&) const = default;

 private:
  static constexpr uint64_t kMask = 0xffff'ffff'ffff;
  constexpr explicit MacAddress(uint64_t bits) : bits_(bits) {}
  uint64_t bits_ = 0;
};

}  // namespace bridge
