// The frame by which a switch, and every bridge behind it, learns where a VM lives from now on.
//
// A VM that has just migrated says so itself (VIRTIO_NET_F_GUEST_ANNOUNCE), or its VMM has us say
// it (vhost-user specification, SEND_RARP): a broadcast RARP request from its address, which asks
// for the address's own protocol address (RFC 903) and which nobody answers. It goes the way of
// every frame of that port, so that what holds for these holds for it.
//
// Threads: constants and pure functions; the mailbox from the main thread to one worker.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "bridge/mac_address.h"
#include "bridge/mailbox.h"

namespace bridge {

struct Announcement {
  MacAddress address;
  uint16_t port = 0;
  uint32_t tenancy = 0;  // it waits for its worker, and is not that of the port's successor
};
using Announcements = Mailbox<Announcement>;

inline constexpr uint32_t kAnnouncementBytes = 60;  // the shortest frame (IEEE 802.3-2018, 3.2.8)

inline void write_announcement(uint8_t* frame, MacAddress address) noexcept {
  // EtherType RARP; hardware Ethernet, protocol IPv4, their lengths, operation 3: request reverse.
  constexpr std::array<uint8_t, 10> kRequest = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
  constexpr size_t kOctets = 6;
  const uint64_t bits = address.wire_bits();
  std::memset(frame, 0, kAnnouncementBytes);
  std::memset(frame, 0xff, kOctets);
  std::memcpy(frame + 6, &bits, kOctets);
  std::memcpy(frame + 12, kRequest.data(), kRequest.size());
  std::memcpy(frame + 22, &bits, kOctets);  // sender hardware address
  std::memcpy(frame + 32, &bits, kOctets);  // target hardware address
}

}  // namespace bridge
