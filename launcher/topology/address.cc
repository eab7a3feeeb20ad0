#include "topology/address.h"

#include <arpa/inet.h>

#include <cctype>
#include <cstdio>
#include <regex>

namespace launcher {
namespace {

std::optional<uint64_t> parse_octets(const std::string& text, size_t count) {
  if (text.size() != count * 3 - 1) return std::nullopt;
  uint64_t value = 0;
  for (size_t index = 0; index < count; ++index) {
    const std::string octet = text.substr(index * 3, 2);
    const bool separated = index + 1 == count || text[index * 3 + 2] == ':';
    if (!separated || std::isxdigit(static_cast<unsigned char>(octet[0])) == 0 ||
        std::isxdigit(static_cast<unsigned char>(octet[1])) == 0) {
      return std::nullopt;
    }
    value = value << 8 | std::stoul(octet, nullptr, 16);
  }
  return value;
}

}  // namespace

std::optional<uint64_t> parse_mac(const std::string& text) {
  return parse_octets(text, 6);
}

std::optional<uint32_t> parse_oui(const std::string& text) {
  const auto value = parse_octets(text, 3);
  if (!value) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

std::string mac_text(uint64_t mac) {
  std::string text;
  for (int shift = 40; shift >= 0; shift -= 8) {
    char octet[4];
    std::snprintf(octet, sizeof octet, "%02x", static_cast<unsigned>(mac >> shift & 0xff));
    text += (text.empty() ? "" : ":") + std::string(octet);
  }
  return text;
}

std::optional<uint32_t> parse_ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

bool is_ip(const std::string& text) {
  in6_addr address{};
  return parse_ipv4(text) || inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// Domains of more than four digits are those that Linux makes up itself (Intel's VMD).
std::optional<std::string> pci_address(const std::string& text) {
  static const std::regex kForm("([0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm)) return std::nullopt;
  return parts[1].matched ? text : "0000:" + text;
}

std::string ipv4_text(uint32_t address) {
  const in_addr value{htonl(address)};
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &value, text, sizeof text);
  return text;
}

}  // namespace launcher
