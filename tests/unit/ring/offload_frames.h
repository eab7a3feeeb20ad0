// Frames as an operating system hands them to a network card that has offloads, and a reader of
// frames that knows nothing of the switch's own code: plain loops over bytes, as the RFCs say it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ring/simulated_guest.h"

namespace vhost::test {

// What a frame is made of.
struct FrameKind {
  const char* name;
  bool ipv6 = false;
  bool tcp = true;
  unsigned tags = 0;      // VLAN
  size_t options = 0;     // bytes of TCP options, a multiple of four
  size_t extensions = 0;  // bytes of IPv6 hop-by-hop options or of IPv4 options
  size_t payload = 1000;  // behind TCP or UDP
  uint16_t segment = 0;   // gso_size; 0: no segment
  bool ecn = false;       // CWR, and the header says so
  uint8_t flags = 0x18;   // of TCP
};

inline void put16(Bytes& bytes, size_t at, uint32_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}
inline uint32_t get16(const Bytes& bytes, size_t at) {
  return static_cast<uint32_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
inline uint32_t get32(const Bytes& bytes, size_t at) {
  return get16(bytes, at) << 16 | get16(bytes, at + 2);
}

// RFC 1071, one byte after the other; not complemented.
inline uint32_t ones_sum(const Bytes& bytes, size_t from, size_t to, uint32_t sum = 0) {
  for (size_t i = from; i < to; ++i) {
    sum += (i - from) % 2 == 0 ? bytes.at(i) << 8 : bytes.at(i);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

// Where things are in a frame that has been read.
struct Parsed {
  bool ipv6 = false;
  size_t ip = 0;
  size_t transport = 0;
  size_t payload = 0;
  uint8_t protocol = 0;
  uint32_t pseudo = 0;  // sum of the pseudo-header
  std::string problem;  // empty: lengths and the IP checksum are right
};

inline Parsed parse(const Bytes& frame) {
  Parsed p;
  size_t at = 12;
  while (get16(frame, at) == 0x8100 || get16(frame, at) == 0x88a8) at += 4;
  p.ipv6 = get16(frame, at) == 0x86dd;
  p.ip = at + 2;
  if (p.ipv6) {
    if (p.ip + 40 + get16(frame, p.ip + 4) != frame.size()) p.problem = "IPv6 payload length";
    p.transport = p.ip + 40;
    p.protocol = frame.at(p.ip + 6);
    if (p.protocol == 0) {
      p.protocol = frame.at(p.transport);
      p.transport += 8 + 8u * frame.at(p.transport + 1);
    }
    p.pseudo = ones_sum(frame, p.ip + 8, p.ip + 40);
  } else {
    p.transport = p.ip + (frame.at(p.ip) & 15u) * 4;
    if (p.ip + get16(frame, p.ip + 2) != frame.size()) p.problem = "IPv4 total length";
    if (ones_sum(frame, p.ip, p.transport) != 0xffff) p.problem = "IPv4 header checksum";
    p.protocol = frame.at(p.ip + 9);
    p.pseudo = ones_sum(frame, p.ip + 12, p.ip + 20);
  }
  const size_t length = frame.size() - p.transport;
  p.pseudo +=
      p.protocol + static_cast<uint32_t>(length & 0xffff) + static_cast<uint32_t>(length >> 16);
  p.pseudo = (p.pseudo & 0xffff) + (p.pseudo >> 16);
  p.pseudo = (p.pseudo & 0xffff) + (p.pseudo >> 16);
  p.payload =
      p.protocol == 6 ? p.transport + (frame.at(p.transport + 12) >> 4) * 4u : p.transport + 8;
  return p;
}
inline size_t checksum_field(const Parsed& p) {
  return p.transport + (p.protocol == 6 ? 16 : 6);
}
inline bool checksum_complete(const Bytes& frame, const Parsed& p) {
  return ones_sum(frame, p.transport, frame.size(), p.pseudo) == 0xffff;
}

// A frame with its virtio-net header.
struct OffloadFrame {
  NetHeader header{};
  Bytes bytes;
};

inline void put_ethernet(Bytes& frame, const FrameKind& kind) {
  const Bytes addresses = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  frame = addresses;
  for (unsigned i = 0; i < kind.tags; ++i) {
    frame.insert(frame.end(), {uint8_t(i + 1 < kind.tags ? 0x88 : 0x81),
                               uint8_t(i + 1 < kind.tags ? 0xa8 : 0), 0, uint8_t(7 + i)});
  }
  frame.insert(frame.end(), {uint8_t(kind.ipv6 ? 0x86 : 0x08), uint8_t(kind.ipv6 ? 0xdd : 0)});
}

inline void put_ip(Bytes& frame, const FrameKind& kind, size_t above) {
  const size_t ip = frame.size();
  const auto protocol = static_cast<uint8_t>(kind.tcp ? 6 : 17);
  const size_t own = (kind.ipv6 ? 40 : 20) + kind.extensions;
  frame.resize(ip + own);
  if (kind.ipv6) {
    frame[ip] = 0x60;
    put16(frame, ip + 4, static_cast<uint32_t>(kind.extensions + above));
    frame[ip + 6] = kind.extensions != 0 ? uint8_t{0} : protocol;
    for (size_t i = 0; i < 32; ++i) frame[ip + 8 + i] = static_cast<uint8_t>(0xf1 + 5 * i);
    if (kind.extensions != 0) {
      frame[ip + 40] = protocol;
      frame[ip + 41] = static_cast<uint8_t>(kind.extensions / 8 - 1);
    }
    return;
  }
  frame[ip] = static_cast<uint8_t>(0x40 + own / 4);
  put16(frame, ip + 2, static_cast<uint32_t>(own + above));
  put16(frame, ip + 4, 0xfffe);  // the next but one is zero
  put16(frame, ip + 6, 0x4000);
  frame[ip + 8] = 64;
  frame[ip + 9] = protocol;
  for (size_t i = 0; i < 8; ++i) frame[ip + 12 + i] = static_cast<uint8_t>(0xc3 + 31 * i);
  std::fill_n(frame.begin() + static_cast<ptrdiff_t>(ip + 20), kind.extensions, uint8_t{1});
  put16(frame, ip + 10, 0xffff ^ ones_sum(frame, ip, ip + own));
}

inline OffloadFrame make_offload_frame(const FrameKind& kind, unsigned seed = 1) {
  OffloadFrame made;
  Bytes& frame = made.bytes;
  const size_t transport_bytes = kind.tcp ? 20 + kind.options : 8;
  put_ethernet(frame, kind);
  put_ip(frame, kind, transport_bytes + kind.payload);
  const size_t transport = frame.size();
  frame.resize(transport + transport_bytes);
  put16(frame, transport, 0x1234);
  put16(frame, transport + 2, 0x5678);
  if (kind.tcp) {
    put16(frame, transport + 4, 0xffff);  // the sequence number passes 2^32
    put16(frame, transport + 6, 0xf000);
    frame[transport + 12] = static_cast<uint8_t>((5 + kind.options / 4) << 4);
    frame[transport + 13] = static_cast<uint8_t>(kind.flags | (kind.ecn ? 0x80 : 0));
    for (size_t i = 0; i < kind.options; ++i) {
      frame[transport + 20 + i] = static_cast<uint8_t>(0x91 + 3 * i);
    }
  } else {
    put16(frame, transport + 4, static_cast<uint32_t>(8 + kind.payload));
  }
  const Bytes payload = pattern(kind.payload, seed);
  frame.insert(frame.end(), payload.begin(), payload.end());
  const Parsed p = parse(frame);
  put16(frame, checksum_field(p), p.pseudo);
  made.header.flags = 1;
  made.header.checksum_start = static_cast<uint16_t>(transport);
  made.header.checksum_offset = kind.tcp ? 16 : 6;
  if (kind.segment == 0) return made;
  made.header.gso_type = static_cast<uint8_t>((kind.ipv6 ? 4 : 1) | (kind.ecn ? 0x80 : 0));
  made.header.gso_size = kind.segment;
  made.header.header_length = static_cast<uint16_t>(p.payload);
  return made;
}

}  // namespace vhost::test
