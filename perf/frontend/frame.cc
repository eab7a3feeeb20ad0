#include "frontend/frame.h"

#include "frontend/error.h"

namespace frontend {
namespace {

// Eight bytes of the pattern: by words, because tests verify millions of frames.
uint64_t pattern(uint64_t seed, std::size_t position) {
  const uint64_t mixed = (seed + position) * 0x9e37'79b9'7f4a'7c15;
  return mixed ^ mixed >> 29;
}

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIp = 20;
constexpr std::size_t kTcp = 20;

void put(std::vector<uint8_t>& frame, std::size_t at, uint32_t value, unsigned count) {
  while (count-- > 0) frame[at++] = static_cast<uint8_t>(value >> 8 * count);
}

// RFC 1071, of 16-bit words.
uint16_t ones_sum(const std::vector<uint8_t>& frame, std::size_t from, std::size_t to,
                  uint32_t sum) {
  for (std::size_t i = from; i < to; i += 2) sum += uint32_t{frame[i]} << 8 | frame[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

uint64_t seed_of(const FrameHead& head) {
  return head.sequence * 65'537 + head.source;
}

}  // namespace

std::vector<uint8_t> make_frame(const FrameHead& head, std::size_t size) {
  if (size < kHeadSize) throw Error("a test frame has at least 32 bytes");
  std::vector<uint8_t> frame(size);
  write_head(frame.data(), head);
  const uint64_t seed = seed_of(head);
  std::size_t i = kHeadSize;
  for (; i + sizeof(seed) <= size; i += sizeof(seed)) store_word(&frame[i], pattern(seed, i));
  const uint64_t rest = pattern(seed, i);
  std::memcpy(frame.data() + i, &rest, size - i);
  return frame;
}

std::vector<uint8_t> make_segment(const FrameHead& head, std::size_t size) {
  std::vector<uint8_t> frame = make_frame(head, size);
  if (size < kEthernet + kIp + kTcp) throw Error("a TCP segment has at least 54 bytes");
  const auto datagram = static_cast<uint32_t>(size - kEthernet);
  put(frame, 12, 0x0800, 2);
  put(frame, 14, 0x4500'0000 | datagram, 4);  // version, header length, total length
  put(frame, 18, 0x0000'4000, 4);             // not to be fragmented
  put(frame, 22, 64u << 24 | 6u << 16, 4);    // TTL, TCP, checksum
  put(frame, 26, 0x0a00'0001 + head.source, 4);
  put(frame, 30, 0x0a00'0001 + head.destination, 4);
  put(frame, 24, 0xffffu ^ ones_sum(frame, kEthernet, kEthernet + kIp, 0), 2);
  put(frame, 34, 5001u << 16 | 5001u, 4);  // ports
  put(frame, 46, 0x5010'ffff, 4);          // header length, ACK, window
  put(frame, 50, ones_sum(frame, 26, 34, 6 + datagram - static_cast<uint32_t>(kIp)), 2);
  put(frame, 52, 0, 2);
  return frame;
}

NetHeader segment_header(uint16_t gso_size) {
  NetHeader header;
  header.flags = kNeedsChecksum;
  header.gso_type = kGsoTcpIpv4;
  header.header_length = kEthernet + kIp + kTcp;
  header.gso_size = gso_size;
  header.checksum_start = kEthernet + kIp;
  header.checksum_offset = 16;
  return header;
}

bool is_segment_for(std::span<const uint8_t> frame, uint16_t receiver) {
  const auto address = static_cast<uint32_t>(guest_mac(receiver, 0));
  return static_cast<uint32_t>(load_word(frame.data())) == address && frame[12] == 8 &&
         frame[13] == 0 && frame[23] == 6;
}

bool intact(std::span<const uint8_t> frame) {
  if (frame.size() < kHeadSize) return false;
  FrameHead head;
  if (read_head(frame.data(), 0, head) == Verdict::not_ours) return false;
  const uint64_t seed = seed_of(head);
  std::size_t i = kHeadSize;
  for (; i + sizeof(seed) <= frame.size(); i += sizeof(seed)) {
    if (load_word(&frame[i]) != pattern(seed, i)) return false;
  }
  const uint64_t rest = pattern(seed, i);
  return std::memcmp(frame.data() + i, &rest, frame.size() - i) == 0;
}

}  // namespace frontend
