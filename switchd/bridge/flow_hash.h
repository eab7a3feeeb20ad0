// A number for the flow that a frame belongs to, the same for both directions of a conversation.
//
// Made of the IPv4 or IPv6 addresses behind up to two VLAN tags, and of the ports of TCP, UDP and
// SCTP; a fragment has none, so that all fragments of a packet are of one flow (as are packets
// behind IPv6 extension headers). Of other frames it is made of their MAC addresses.
//
// Keyed: whoever knows the key can aim flows at one number. Guests do not.
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vhost/batch.h"
#include "vhost/offload.h"

namespace bridge {

namespace detail {

inline constexpr uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;

// All bits of the result depend on all of the argument.
constexpr uint64_t mix(uint64_t value) {
  value = (value ^ value >> 32) * kOdd;
  value = (value ^ value >> 29) * kOdd;
  return value ^ value >> 32;
}

// Octets of the head; beyond its length: zero.
inline uint64_t octets(const vhost::HeadView& head, uint32_t at, unsigned count) noexcept {
  uint64_t value = 0;
  for (unsigned i = 0; i < count; ++i) value = value << 8 | head.byte(at + i);
  return value;
}

constexpr bool has_ports(uint8_t protocol) {
  constexpr uint8_t kTcp = 6;
  constexpr uint8_t kUdp = 17;
  constexpr uint8_t kSctp = 132;
  return protocol == kTcp || protocol == kUdp || protocol == kSctp;
}

// Sums are the same whichever end is first.
inline uint64_t of_ends(uint64_t one, uint64_t other, uint64_t key) noexcept {
  return mix(mix(one ^ key) + mix(other ^ key));
}

inline uint64_t of_ipv4(const vhost::HeadView& head, uint32_t ip, uint64_t key) noexcept {
  constexpr uint16_t kMoreOrOffset = 0x3fff;  // RFC 791, 3.1
  const bool whole = (head.word(ip + 6) & kMoreOrOffset) == 0 && has_ports(head.byte(ip + 9));
  const uint32_t ports = ip + (head.byte(ip) & 0x0fu) * 4;
  const uint64_t source = octets(head, ip + 12, 4) << 16;
  const uint64_t destination = octets(head, ip + 16, 4) << 16;
  return whole ? of_ends(source | head.word(ports), destination | head.word(ports + 2), key)
               : of_ends(source, destination, key);
}

inline uint64_t of_ipv6(const vhost::HeadView& head, uint32_t ip, uint64_t key) noexcept {
  constexpr uint32_t kHeader = 40;  // RFC 8200, 3
  const bool whole = has_ports(head.byte(ip + 6));
  const auto end = [&](uint32_t address, uint32_t port) {
    const uint64_t prefix = mix(octets(head, address, 8) ^ key);
    return prefix + octets(head, address + 8, 8) * kOdd + (whole ? head.word(port) : 0);
  };
  return of_ends(end(ip + 8, ip + kHeader), end(ip + 24, ip + kHeader + 2), key);
}

}  // namespace detail

inline uint32_t flow_hash(const vhost::Batch& batch, unsigned slot, uint64_t key) noexcept {
  const vhost::HeadView head(batch.head[slot].data() + vhost::kNetHeaderBytes,
                             std::min(batch.length[slot], vhost::kHeadFrameBytes));
  uint16_t type;
  const uint32_t network = vhost::detail::find_network(head, type);
  uint64_t hash;
  if (type == vhost::detail::kTypeIpv4) {
    hash = detail::of_ipv4(head, network, key);
  } else if (type == vhost::detail::kTypeIpv6) {
    hash = detail::of_ipv6(head, network, key);
  } else {
    hash = detail::of_ends(detail::octets(head, 0, 6), detail::octets(head, 6, 6), key);
  }
  return static_cast<uint32_t>(hash);
}

}  // namespace bridge
