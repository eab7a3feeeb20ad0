// Cuts a TCP segment that is longer than the link's frames into frames, as the sender's own driver
// would have (virtio 1.2, 5.1.6.2.1; what Linux calls software GSO).
//
// Each frame has the segment's headers with: the length of IP; in IPv4 the next identification and
// a checksum; the sequence number of its first byte; CWR on the first alone (RFC 3168, 6.1.2), FIN
// and PSH on the last alone; a TCP checksum, complete or of the pseudo-header alone. The headers
// come from a copy made once; the payload goes straight from the sender's buffers into the
// receiver's, and is summed up on the way.
//
// Threads: a plain value, for one delivery.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "vhost/batch.h"
#include "vhost/frame_reader.h"
#include "vhost/offload.h"
#include "vhost/piece_writer.h"

namespace vhost {

class Segmenter {
 public:
  // REQUIRES: check_offload() found the frame to be a sound segment.
  Segmenter(const Batch& batch, unsigned slot) noexcept
      : request_(batch.offload[slot]),
        ipv6_((batch.needs[slot] & offload::kTso6) != 0),
        payload_left_(batch.length[slot] - request_.header_bytes),
        reader_(batch, slot) {
    uint8_t* to = headers_.data();
    reader_.read(request_.header_bytes, [&to](const uint8_t* from, size_t length) {
      std::memcpy(to, from, length);
      to += length;
    });
    first_flags_ = headers_[tcp() + kFlags];
  }

  // Frames still to come, and the length of the next one.
  uint32_t left() const noexcept {
    const uint32_t full = (payload_left_ + request_.segment_bytes - 1) / request_.segment_bytes;
    return number_ == 0 ? std::max(full, 1u) : full;
  }
  uint32_t length() const noexcept { return request_.header_bytes + payload(); }

  // Writes the next frame, a virtio-net header of `header_bytes` before it. `complete`: its
  // checksum is; else that is left to the receiver, as NEEDS_CSUM.
  void write(PieceWriter& to, unsigned header_bytes, uint16_t buffers, bool complete) noexcept {
    prepare();
    put_net_header(to, header_bytes, buffers, complete);
    InternetSum sum = pseudo_header();
    if (complete) {
      write_summed(to, sum);
    } else {
      put16_stored(tcp() + kChecksum, sum.folded());
      to.put(headers_.data(), request_.header_bytes);
      reader_.read(payload(), [&to](const uint8_t* from, size_t n) { to.put(from, n); });
    }
    payload_left_ -= payload();
    ++number_;
  }

 private:
  // Offsets in the TCP header (RFC 9293, 3.1).
  static constexpr uint32_t kSequence = 4;
  static constexpr uint32_t kFlags = 13;
  static constexpr uint32_t kChecksum = 16;
  static constexpr uint8_t kFin = 0x01;
  static constexpr uint8_t kPsh = 0x08;
  static constexpr uint8_t kCwr = 0x80;
  // The TCP header begins inside the head and has up to 60 bytes.
  static constexpr size_t kMostHeaderBytes = kHeadFrameBytes + 60;

  uint32_t tcp() const noexcept { return request_.checksum_start; }
  uint32_t payload() const noexcept {
    return std::min<uint32_t>(payload_left_, request_.segment_bytes);
  }

  uint16_t get16(uint32_t at) const noexcept {
    return static_cast<uint16_t>(headers_[at] << 8 | headers_[at + 1]);
  }
  void put16(uint32_t at, uint32_t value) noexcept {
    headers_[at] = static_cast<uint8_t>(value >> 8);
    headers_[at + 1] = static_cast<uint8_t>(value);
  }
  void put16_stored(uint32_t at, uint16_t stored) noexcept {
    std::memcpy(&headers_[at], &stored, sizeof(stored));
  }

  // The headers of the next frame, but for the TCP checksum, which is zero.
  void prepare() noexcept {
    const uint32_t ip = request_.network_start;
    const uint32_t ip_length = request_.header_bytes + payload() - ip;
    if (ipv6_) {
      put16(ip + 4, ip_length - detail::kIpv6HeaderBytes);
    } else {
      put16(ip + 2, ip_length);
      if (number_ != 0) put16(ip + 4, get16(ip + 4) + 1u);
      put16_stored(ip + 10, 0);
      InternetSum sum;
      sum.add(&headers_[ip], tcp() - ip);
      put16_stored(ip + 10, static_cast<uint16_t>(~sum.folded()));
    }
    if (number_ != 0) advance_sequence();
    uint8_t flags = first_flags_;
    if (number_ != 0) flags &= static_cast<uint8_t>(~kCwr);
    if (payload() != payload_left_) flags &= static_cast<uint8_t>(~(kFin | kPsh));
    headers_[tcp() + kFlags] = flags;
    put16_stored(tcp() + kChecksum, 0);
  }

  void advance_sequence() noexcept {
    const uint32_t at = tcp() + kSequence;
    const uint32_t before = static_cast<uint32_t>(get16(at)) << 16 | get16(at + 2);
    const uint32_t now = before + request_.segment_bytes;
    put16(at, now >> 16);
    put16(at + 2, now);
  }

  // Addresses, protocol, length of TCP (RFC 9293, 3.1; RFC 8200, 8.1).
  InternetSum pseudo_header() const noexcept {
    const uint32_t ip = request_.network_start;
    InternetSum sum;
    if (ipv6_) {
      sum.add(&headers_[ip + 8], 32);
    } else {
      sum.add(&headers_[ip + 12], 8);
    }
    const uint32_t tcp_length = request_.header_bytes + payload() - tcp();
    sum.add_stored(__builtin_bswap16(detail::kProtocolTcp));
    sum.add_stored(__builtin_bswap16(static_cast<uint16_t>(tcp_length)));
    return sum;
  }

  void put_net_header(PieceWriter& to, unsigned header_bytes, uint16_t buffers,
                      bool complete) const noexcept {
    NetHeader header{};
    if (!complete) {
      header = header_for({request_.checksum_start, request_.checksum_offset, 0, 0, 0},
                          offload::kChecksum);
    }
    header.buffer_count = buffers;
    to.put(reinterpret_cast<const uint8_t*>(&header), header_bytes);
  }

  void write_summed(PieceWriter& to, InternetSum sum) noexcept {
    const auto place = to.place_ahead(tcp() + kChecksum);
    to.put(headers_.data(), request_.header_bytes);
    sum.add(&headers_[tcp()], request_.header_bytes - tcp());
    reader_.read(payload(), [&](const uint8_t* from, size_t n) { to.put_summed(from, n, sum); });
    store_at(place, sum.checksum());
  }

  const Offload& request_;
  const bool ipv6_;
  uint32_t payload_left_;
  uint32_t number_ = 0;
  uint8_t first_flags_ = 0;
  FrameReader reader_;
  std::array<uint8_t, kMostHeaderBytes> headers_;
};

}  // namespace vhost
