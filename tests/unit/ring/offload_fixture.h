// A sender and a receiver with offloads, one delivery from the one to the other, and what arrives.
#pragma once

#include <map>

#include "ring/offload_frames.h"
#include "ring/receive_fixture.h"
#include "ring/transmit_fixture.h"

namespace vhost::test {

using Links = std::vector<Descriptor>;

inline constexpr uint64_t kSendsAll = feature::bit(0) | feature::bit(11) | feature::bit(12) |
                                      feature::bit(13);  // CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN
inline constexpr uint64_t kTakesChecksum = feature::bit(1);
inline constexpr uint64_t kTakesAll =
    kTakesChecksum | feature::bit(7) | feature::bit(8) | feature::bit(9);

class OffloadSender : public TransmitTest {
 public:
  using RingTest::kIndirect;
  using RingTest::kModern;
  using RingTest::kSeam;
  using TransmitTest::batch_;
  using TransmitTest::driver_;
  using TransmitTest::memory_;
  using TransmitTest::next_buffer_;
  using TransmitTest::offer;
  using TransmitTest::piece;
  using TransmitTest::ring_;
  using TransmitTest::set_up;
  using TransmitTest::table;
  using TransmitTest::take;
  void TestBody() override {}

  bool legacy = false;  // a header of ten bytes
  Bytes with_header(const OffloadFrame& frame) const {
    const auto* header = reinterpret_cast<const uint8_t*>(&frame.header);
    return joined({Bytes(header, header + (legacy ? 10 : 12)), frame.bytes});
  }
};

struct Arrived {
  NetHeader header{};
  Bytes bytes;
};

class OffloadReceiver : public ReceiveTest {
 public:
  using ReceiveTest::buffer;
  using ReceiveTest::driver_;
  using ReceiveTest::header_bytes_;
  using ReceiveTest::kMergeable;
  using ReceiveTest::memory_;
  using ReceiveTest::next_buffer_;
  using ReceiveTest::ring_;
  using ReceiveTest::table;
  using RingTest::kBuffers;
  using RingTest::kModern;
  void TestBody() override {}

  void set_up(uint16_t size, uint64_t features) {
    ReceiveTest::set_up(size, features);
    constexpr uint64_t kLongHeader =
        feature::bit(feature::kVersion1) | feature::bit(feature::kNetMergeableRxBuf);
    header_bytes_ = (features & kLongHeader) != 0 ? 12 : 10;
    mergeable_ = (features & feature::bit(feature::kNetMergeableRxBuf)) != 0;
    chains_.clear();
    seen_ = 0;
  }
  void post(const Links& pieces, bool in_table = false) {
    const uint16_t head = ReceiveTest::offer(in_table ? Links{table(pieces)} : pieces);
    chains_[head] = pieces;
  }

  // Every frame that came since the last call, put together from its buffers.
  std::vector<Arrived> arrived() {
    std::vector<Arrived> frames;
    while (seen_ != driver_->used_index()) {
      Bytes bytes = used_bytes(seen_++);
      Arrived frame;
      EXPECT_GE(bytes.size(), header_bytes_);
      std::memcpy(&frame.header, bytes.data(), header_bytes_);
      unsigned more = mergeable_ ? frame.header.buffer_count : 1u;
      EXPECT_GE(more, 1u);
      for (; more > 1; --more) {
        const Bytes rest = used_bytes(seen_++);
        bytes.insert(bytes.end(), rest.begin(), rest.end());
      }
      frame.bytes.assign(bytes.begin() + static_cast<ptrdiff_t>(header_bytes_), bytes.end());
      frames.push_back(std::move(frame));
    }
    return frames;
  }

 private:
  Bytes used_bytes(uint16_t index) {
    const UsedElement used = driver_->used(index);
    return read(chains_.at(static_cast<uint16_t>(used.id)), used.length);
  }

  bool mergeable_ = false;
  std::map<uint16_t, Links> chains_;
  uint16_t seen_ = 0;
};

class OffloadTest : public ::testing::Test {
 protected:
  // Takes what the sender offered and delivers all of it to one receiver.
  Delivery deliver() { return deliver_to(receiver_); }
  Delivery deliver_to(OffloadReceiver& receiver) {
    std::vector<uint16_t> slots;
    for (uint16_t slot = 0; slot < sender_.batch_->count; ++slot) {
      if (sender_.batch_->fault[slot] == FrameFault::none) slots.push_back(slot);
    }
    const std::vector<uint32_t> tallies(sender_.batch_->count, 1);
    const Delivery result = receiver.ring_.deliver(*sender_.batch_, slots, tallies.data());
    EXPECT_EQ(result.attempted, result.delivered + result.no_guest + result.no_buffer +
                                    result.too_small + result.malformed + result.oversize);
    EXPECT_EQ(result.delivered, result.tally);
    return result;
  }

  OffloadSender sender_;
  OffloadReceiver receiver_;
};

// --- What a receiver must find.

inline void expect_checksum(const Arrived& frame, bool takes_checksum, const std::string& where) {
  const Parsed p = parse(frame.bytes);
  EXPECT_EQ("", p.problem) << where;
  if (takes_checksum) {
    EXPECT_EQ(1, frame.header.flags) << where;
    EXPECT_EQ(p.transport, frame.header.checksum_start) << where;
    EXPECT_EQ(checksum_field(p) - p.transport, frame.header.checksum_offset) << where;
    EXPECT_EQ(p.pseudo, get16(frame.bytes, checksum_field(p))) << where;
  } else {
    EXPECT_EQ(0, frame.header.flags) << where;
    EXPECT_EQ(0, frame.header.checksum_start) << where;
    EXPECT_TRUE(checksum_complete(frame.bytes, p)) << where;
    EXPECT_NE(0u, get16(frame.bytes, checksum_field(p))) << where << ": zero means none";
  }
}

// One frame of a segment that was cut. Number `i` of `count`.
inline void expect_cut(const OffloadFrame& sent, const Arrived& frame, size_t i, size_t count,
                       const std::string& where) {
  const Parsed all = parse(sent.bytes);
  const Parsed p = parse(frame.bytes);
  EXPECT_EQ(0, frame.header.gso_type) << where;
  EXPECT_EQ(0, frame.header.gso_size) << where;
  ASSERT_EQ(all.payload, p.payload) << where;
  const size_t tcp = p.transport;
  const size_t step = sent.header.gso_size;
  EXPECT_EQ(get32(sent.bytes, tcp + 4) + static_cast<uint32_t>(i * step),
            get32(frame.bytes, tcp + 4))
      << where;
  const size_t begin = all.payload + i * step;
  const size_t length = std::min(step, sent.bytes.size() - begin);
  ASSERT_EQ(length, frame.bytes.size() - p.payload) << where;
  EXPECT_TRUE(std::equal(sent.bytes.begin() + static_cast<ptrdiff_t>(begin),
                         sent.bytes.begin() + static_cast<ptrdiff_t>(begin + length),
                         frame.bytes.begin() + static_cast<ptrdiff_t>(p.payload)))
      << where;
  uint8_t flags = sent.bytes[tcp + 13];
  if (i != 0) flags &= 0x7f;
  if (i + 1 != count) flags &= static_cast<uint8_t>(~0x09);
  EXPECT_EQ(flags, frame.bytes[tcp + 13]) << where;
  Bytes expected = sent.bytes;
  Bytes found = frame.bytes;
  if (!p.ipv6) {
    EXPECT_EQ((get16(sent.bytes, p.ip + 4) + i) & 0xffff, get16(frame.bytes, p.ip + 4)) << where;
    for (const size_t at : {2u, 4u, 10u}) put16(expected, p.ip + at, 0), put16(found, p.ip + at, 0);
  } else {
    put16(expected, p.ip + 4, 0), put16(found, p.ip + 4, 0);
  }
  for (const size_t at : {4u, 6u, 16u}) put16(expected, tcp + at, 0), put16(found, tcp + at, 0);
  expected[tcp + 13] = found[tcp + 13] = 0;
  EXPECT_TRUE(std::equal(found.begin(), found.begin() + static_cast<ptrdiff_t>(p.payload),
                         expected.begin()))
      << where << ": all other header bytes";
}

}  // namespace vhost::test
