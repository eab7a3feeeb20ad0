#include "bridge/mac_address.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace bridge {

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  constexpr size_t kTextLength = 17;
  if (text.size() != kTextLength) return std::nullopt;
  uint64_t bits = 0;
  for (unsigned octet = 0; octet < 6; ++octet) {
    const char* first = text.data() + octet * 3;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(first, first + 2, value, 16);
    if (error != std::errc() || end != first + 2) return std::nullopt;
    if (octet < 5 && first[2] != ':' && first[2] != '-') return std::nullopt;
    bits |= static_cast<uint64_t>(value) << (8 * octet);
  }
  return MacAddress(bits);
}

std::string MacAddress::to_string() const {
  std::array<char, 18> text{};
  const auto octet = [this](unsigned i) { return static_cast<unsigned>(bits_ >> (8 * i) & 0xff); };
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", octet(0), octet(1),
                octet(2), octet(3), octet(4), octet(5));
  return text.data();
}

}  // namespace bridge
