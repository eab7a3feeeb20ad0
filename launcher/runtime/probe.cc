#include "runtime/probe.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "frontend/guest.h"

namespace launcher {
namespace {

using Bytes = std::vector<uint8_t>;
using Address6 = std::array<uint8_t, 16>;

// Ethernet (IEEE 802.3, 3.2), ARP (RFC 826), IPv6 (RFC 8200, 3), ICMPv6 (RFC 4861, 4.3, 4.4).
constexpr size_t kLeastFrame = 60, kEthernet = 14, kIpv6 = 40;
constexpr uint16_t kArp = 0x0806, kIpv6Type = 0x86dd;
constexpr uint8_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136, kHopLimit = 255;

void put16(Bytes& bytes, uint16_t value) {
  bytes.push_back(static_cast<uint8_t>(value >> 8));
  bytes.push_back(static_cast<uint8_t>(value & 0xff));
}

void put32(Bytes& bytes, uint32_t value) {
  put16(bytes, static_cast<uint16_t>(value >> 16));
  put16(bytes, static_cast<uint16_t>(value & 0xffff));
}

void put(Bytes& bytes, std::span<const uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

uint16_t get16(std::span<const uint8_t> bytes, size_t offset) {
  return static_cast<uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

uint32_t get32(std::span<const uint8_t> bytes, size_t offset) {
  return uint32_t{get16(bytes, offset)} << 16 | get16(bytes, offset + 2);
}

Bytes ethernet(const Octets& to, const Octets& from, uint16_t type) {
  Bytes frame;
  put(frame, to);
  put(frame, from);
  put16(frame, type);
  return frame;
}

// RFC 1071, over the pseudo header of RFC 8200, 8.1, and the message.
uint16_t checksum(std::span<const uint8_t> addresses, std::span<const uint8_t> message) {
  uint32_t sum = static_cast<uint32_t>(message.size()) + kIcmpv6;
  for (const auto part : {addresses, message}) {
    for (size_t at = 0; at + 1 < part.size(); at += 2) sum += get16(part, at);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// A MAC of our own for as long as the probe lasts, locally administered.
Octets random_mac() {
  std::random_device random;
  Octets mac;
  std::generate(mac.begin(), mac.end(), [&] { return static_cast<uint8_t>(random()); });
  mac[0] = static_cast<uint8_t>((mac[0] & 0xfc) | 0x02);
  return mac;
}

struct Question {
  Bytes frame;
  std::function<bool(std::span<const uint8_t>)> is_answer;
};

Question question(const std::string& text, const Octets& mac) {
  in_addr address4{};
  if (inet_pton(AF_INET, text.c_str(), &address4) == 1) {
    const uint32_t address = ntohl(address4.s_addr);
    return {arp_probe(mac, address),
            [address](auto frame) { return is_arp_answer(frame, address); }};
  }
  Address6 address{};
  inet_pton(AF_INET6, text.c_str(), address.data());
  return {neighbour_solicitation(mac, address),
          [address](auto frame) { return is_neighbour_answer(frame, address); }};
}

}  // namespace

Bytes arp_probe(const Octets& mac, uint32_t address) {
  constexpr uint16_t kEthernetHardware = 1, kIpv4Type = 0x0800, kRequest = 1;
  Octets everyone, nobody{};
  everyone.fill(0xff);
  Bytes frame = ethernet(everyone, mac, kArp);
  put16(frame, kEthernetHardware);
  put16(frame, kIpv4Type);
  put16(frame, 0x0604);  // lengths of the two kinds of address
  put16(frame, kRequest);
  put(frame, mac);
  put32(frame, 0);
  put(frame, nobody);
  put32(frame, address);
  frame.resize(kLeastFrame);
  return frame;
}

bool is_arp_answer(std::span<const uint8_t> frame, uint32_t address) {
  constexpr size_t kArpEnd = kEthernet + 28, kOperation = kEthernet + 6, kSender = kEthernet + 14;
  constexpr uint16_t kReply = 2;
  return frame.size() >= kArpEnd && get16(frame, 12) == kArp &&
         get16(frame, kOperation) == kReply && get32(frame, kSender) == address;
}

Bytes neighbour_solicitation(const Octets& mac, const Address6& address) {
  // The solicited-node group of the address (RFC 4291, 2.7.1).
  Address6 nobody{}, group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
  std::copy(address.begin() + 13, address.end(), group.begin() + 13);
  const Octets to = {0x33, 0x33, group[12], group[13], group[14], group[15]};
  Bytes message = {kSolicitation, 0, 0, 0, 0, 0, 0, 0};
  put(message, address);
  Bytes addresses;
  put(addresses, nobody);
  put(addresses, group);
  const uint16_t sum = checksum(addresses, message);
  message[2] = static_cast<uint8_t>(sum >> 8);
  message[3] = static_cast<uint8_t>(sum & 0xff);
  Bytes frame = ethernet(to, mac, kIpv6Type);
  put32(frame, 6u << 28);
  put16(frame, static_cast<uint16_t>(message.size()));
  frame.push_back(kIcmpv6);
  frame.push_back(kHopLimit);
  put(frame, addresses);
  put(frame, message);
  return frame;
}

bool is_neighbour_answer(std::span<const uint8_t> frame, const Address6& address) {
  constexpr size_t kMessage = kEthernet + kIpv6, kTarget = kMessage + 8;
  if (frame.size() < kTarget + address.size() || get16(frame, 12) != kIpv6Type) return false;
  if (frame[kEthernet + 6] != kIcmpv6 || frame[kMessage] != kAdvertisement) return false;
  return std::equal(address.begin(), address.end(), frame.begin() + kTarget);
}

bool answers(const std::filesystem::path& socket, const std::string& address,
             std::chrono::milliseconds within, const std::atomic<bool>& stop) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kAskEvery{500}, kPause{10};
  const auto deadline = Clock::now() + within;
  frontend::GuestOptions options;
  options.socket = socket.string();
  options.memory.regions = {4u << 20};
  frontend::Guest guest(options);
  guest.start();
  const Question asked = question(address, random_mac());
  auto next = Clock::now();
  while (!stop && Clock::now() < deadline) {
    if (Clock::now() >= next) {
      guest.send(asked.frame);
      next += kAskEvery;
    }
    while (const auto frame = guest.receive_within(std::chrono::milliseconds(0))) {
      if (asked.is_answer(frame->bytes)) return true;
    }
    std::this_thread::sleep_for(kPause);
  }
  return false;
}

}  // namespace launcher
