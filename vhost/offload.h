// What a frame asks of the switch or of its receiver by its virtio-net header (virtio 1.2, 5.1.6):
// a checksum that is not complete, a TCP segment that is longer than the link's frames.
//
// check_offload() holds the header against the sender's features and against the frame it stands
// before, and keeps what was found. Nobody looks at the sender's header again: what is passed on is
// made from an Offload. hdr_len is a hint that may be wrong (5.1.6.2.1) and is made anew too.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <cstring>

#include "vhost/virtio.h"

namespace vhost {

// What is wrong with a frame as the guest sent it.
enum class FrameFault : uint8_t { none, malformed, header, offload, runt, oversize };

namespace offload {
// What a frame needs, and what a driver can do: bits of one kind.
inline constexpr uint8_t kChecksum = 1;
inline constexpr uint8_t kTso4 = 2;
inline constexpr uint8_t kTso6 = 4;
inline constexpr uint8_t kEcn = 8;
inline constexpr uint8_t kSegments = kTso4 | kTso6 | kEcn;

struct FeatureBits {
  unsigned checksum, tso4, tso6, ecn;
};
// Without the features that these require (virtio 1.2, 5.1.3.1) they count for nothing.
constexpr uint8_t of_features(uint64_t features, const FeatureBits& bits) {
  const auto has = [features](unsigned bit) { return (features & feature::bit(bit)) != 0; };
  if (!has(bits.checksum)) return 0;
  const uint8_t tso = static_cast<uint8_t>((has(bits.tso4) ? kTso4 : 0) |  //
                                           (has(bits.tso6) ? kTso6 : 0));
  return static_cast<uint8_t>(kChecksum | tso | (tso != 0 && has(bits.ecn) ? kEcn : 0));
}
// What the driver may send, and what it takes, with these features negotiated.
constexpr uint8_t sent_with(uint64_t features) {
  return of_features(features, {feature::kNetChecksum, feature::kNetHostTso4, feature::kNetHostTso6,
                                feature::kNetHostEcn});
}
constexpr uint8_t accepted_with(uint64_t features) {
  return of_features(features, {feature::kNetGuestChecksum, feature::kNetGuestTso4,
                                feature::kNetGuestTso6, feature::kNetGuestEcn});
}
}  // namespace offload

// Offsets and lengths in bytes, from the start of the frame. Those of headers: only when it is to
// be cut.
struct Offload {
  uint16_t checksum_start;   // from here to the end is summed up
  uint16_t checksum_offset;  // of the field, from there
  uint16_t segment_bytes;    // of TCP payload in each frame it is to be cut into; 0: it is not
  uint16_t network_start;    // IP header
  uint16_t header_bytes;     // up to the end of the TCP header
};

// The first bytes of a frame, as fields of big-endian numbers. Reads beyond them are zero.
class HeadView {
 public:
  HeadView(const uint8_t* bytes, uint32_t length) noexcept : bytes_(bytes), length_(length) {}
  uint8_t byte(uint32_t at) const noexcept { return at < length_ ? bytes_[at] : uint8_t{0}; }
  uint16_t word(uint32_t at) const noexcept {
    return static_cast<uint16_t>(byte(at) << 8 | byte(at + 1));
  }
  bool holds(uint32_t end) const noexcept { return end <= length_; }

 private:
  const uint8_t* bytes_;
  uint32_t length_;
};

namespace detail {

inline constexpr uint32_t kTypeOffset = 12;  // EtherType, or the first VLAN tag's
inline constexpr unsigned kMostTags = 2;     // IEEE 802.1ad: service tag, customer tag
inline constexpr uint16_t kTypeVlan = 0x8100;
inline constexpr uint16_t kTypeServiceVlan = 0x88a8;
inline constexpr uint16_t kTypeIpv4 = 0x0800;
inline constexpr uint16_t kTypeIpv6 = 0x86dd;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint32_t kIpv6HeaderBytes = 40;
inline constexpr uint32_t kTcpHeaderBytes = 20;
inline constexpr uint16_t kTcpChecksumOffset = 16;

// Where the network header begins, and its EtherType.
inline uint32_t find_network(const HeadView& head, uint16_t& type) noexcept {
  uint32_t at = kTypeOffset;
  type = head.word(at);
  for (unsigned tags = 0; tags < kMostTags; ++tags) {
    if (type != kTypeVlan && type != kTypeServiceVlan) break;
    at += 4;
    type = head.word(at);
  }
  return at + 2;
}

// Where TCP begins, or 0. IPv4 (RFC 791, 3.1): no fragment of one can be cut.
inline uint32_t find_tcp4(const HeadView& head, uint32_t ip) noexcept {
  constexpr uint16_t kMoreOrOffset = 0x3fff;
  const uint32_t header = (head.byte(ip) & 0x0fu) * 4;
  const bool sound = head.byte(ip) >> 4 == 4 && header >= 20 &&
                     (head.word(ip + 6) & kMoreOrOffset) == 0 && head.byte(ip + 9) == kProtocolTcp;
  return sound ? ip + header : 0;
}

// Likewise. IPv6 (RFC 8200, 4): behind hop-by-hop options, routing headers, destination options.
inline uint32_t find_tcp6(const HeadView& head, uint32_t ip) noexcept {
  constexpr uint8_t kHopByHop = 0;
  constexpr uint8_t kRouting = 43;
  constexpr uint8_t kDestinationOptions = 60;
  if (head.byte(ip) >> 4 != 6) return 0;
  uint8_t next = head.byte(ip + 6);
  uint32_t at = ip + kIpv6HeaderBytes;
  while (next == kHopByHop || next == kRouting || next == kDestinationOptions) {
    if (!head.holds(at + 8)) return 0;
    next = head.byte(at);
    at += (head.byte(at + 1) + 1u) * 8;
  }
  return next == kProtocolTcp ? at : 0;
}

// Headers of a segment: those that its type says, all of them there.
inline bool find_headers(const HeadView& head, uint32_t length, bool ipv6, Offload& out) noexcept {
  uint16_t type;
  const uint32_t network = find_network(head, type);
  if (type != (ipv6 ? kTypeIpv6 : kTypeIpv4)) return false;
  const uint32_t tcp = ipv6 ? find_tcp6(head, network) : find_tcp4(head, network);
  if (tcp == 0 || !head.holds(tcp + kTcpHeaderBytes)) return false;
  const uint32_t tcp_bytes = (head.byte(tcp + 12) >> 4) * 4u;
  if (tcp_bytes < kTcpHeaderBytes || tcp + tcp_bytes > length) return false;
  out.network_start = static_cast<uint16_t>(network);
  out.header_bytes = static_cast<uint16_t>(tcp + tcp_bytes);
  return out.checksum_start == tcp && out.checksum_offset == kTcpChecksumOffset;
}

// The bits a header asks for, or 0 when it names a type that is nobody's here.
inline uint8_t needs_of(const NetHeader& header) noexcept {
  const uint8_t type = header.gso_type & static_cast<uint8_t>(~kGsoEcn);
  uint8_t needs = (header.flags & kNetNeedsChecksum) != 0 ? offload::kChecksum : uint8_t{0};
  if (type == kGsoTcp4) {
    needs |= offload::kTso4;
  } else if (type == kGsoTcp6) {
    needs |= offload::kTso6;
  } else if (header.gso_type != kGsoNone) {
    return 0;
  }
  if ((header.gso_type & kGsoEcn) != 0) needs |= offload::kEcn;
  return needs;
}

}  // namespace detail

// Checks a header that asks for something. `allowed`: offload::sent_with(). `head` holds the first
// bytes of the frame, `length` is that of all. On none, `out` and `needs` are filled in.
inline FrameFault check_offload(const NetHeader& header, uint8_t allowed, const HeadView& head,
                                uint32_t length, Offload& out, uint8_t& needs) noexcept {
  needs = detail::needs_of(header);
  if (needs == 0 || (needs & ~allowed) != 0) return FrameFault::header;
  // A segment's checksum is always the receiver's to complete (virtio 1.2, 5.1.6.2.1).
  if ((needs & offload::kChecksum) == 0) return FrameFault::offload;
  constexpr uint32_t kEthernetHeader = 14;
  const uint32_t end = uint32_t{header.checksum_start} + header.checksum_offset + 2;
  if (header.checksum_start < kEthernetHeader || end > length) return FrameFault::offload;
  out = {header.checksum_start, header.checksum_offset, 0, 0, 0};
  if ((needs & offload::kSegments) == 0) return FrameFault::none;
  out.segment_bytes = header.gso_size;
  const bool sound = header.gso_size != 0 &&
                     detail::find_headers(head, length, (needs & offload::kTso6) != 0, out);
  return sound ? FrameFault::none : FrameFault::offload;
}

// The header that a receiver gets which takes the frame as it is.
inline NetHeader header_for(const Offload& request, uint8_t needs) noexcept {
  NetHeader header{kNetNeedsChecksum,       kGsoNone, 0, 0, request.checksum_start,
                   request.checksum_offset, 1};
  if ((needs & offload::kSegments) == 0) return header;
  header.gso_type = (needs & offload::kTso4) != 0 ? kGsoTcp4 : kGsoTcp6;
  if ((needs & offload::kEcn) != 0) header.gso_type |= kGsoEcn;
  header.header_length = request.header_bytes;
  header.gso_size = request.segment_bytes;
  return header;
}

}  // namespace vhost
