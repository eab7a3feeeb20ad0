// MAC and IPv4 addresses as text and as numbers, PCI addresses as text.
//
// Units: 48-bit and 32-bit numbers, most significant octet first. Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace launcher {

std::optional<uint64_t> parse_mac(const std::string& text);  // "02:00:00:12:34:56"
std::string mac_text(uint64_t mac);
std::optional<uint32_t> parse_oui(const std::string& text);  // "02:00:00"
std::optional<uint32_t> parse_ipv4(const std::string& text);
std::string ipv4_text(uint32_t address);
bool is_ip(const std::string& text);  // IPv4 or IPv6, without a length
// With its domain, which is 0000 where the text has none: "00:19.0".
std::optional<std::string> pci_address(const std::string& text);

// Group addresses have the lowest bit of the first octet set (IEEE 802-2014, 8.2.2).
inline bool is_group(uint64_t mac) {
  return (mac >> 40 & 1) != 0;
}

}  // namespace launcher
