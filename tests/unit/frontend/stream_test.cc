// Streams of two guests with a model device between them.
#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "frontend/receive_stream.h"
#include "frontend/transmit_stream.h"
#include "model_device.h"

namespace frontend {
namespace {

struct End {
  GuestMemory memory{MemoryOptions{}};
  Ring ring{memory, 64};
  ModelDevice device{memory, ring};
};

// Descriptors of a frame; whether its buffers are scattered.
class StreamTest : public testing::TestWithParam<std::tuple<StreamShape, bool>> {
 protected:
  End sender_;
  End receiver_;
  std::set<std::vector<uint8_t>> addresses_;  // the pairs seen

  StreamShape shape() const { return std::get<0>(GetParam()); }
  bool scattered() const { return std::get<1>(GetParam()); }
  TransmitStreamOptions transmit_options() const {
    return {kLongHeader, 100, shape(), scattered()};
  }
  ReceiveStreamOptions receive_options() const {
    ReceiveStreamOptions options;
    options.guest = 1;
    options.guests = 2;
    options.scattered = scattered();
    options.indirect3 = shape() == StreamShape::indirect3;
    return options;
  }
  // Moves what the receiver has room for; the number of frames.
  int forward() {
    int moved = 0;
    while (receiver_.device.available() != 0) {
      const auto chain = sender_.device.take();
      if (!chain) break;
      const std::vector<uint8_t> bytes = sender_.device.read(*chain);
      NetHeader header;
      header.num_buffers = 1;
      std::vector<uint8_t> frame(bytes.begin() + kLongHeader, bytes.end());
      EXPECT_TRUE(intact(frame) || !check_payload_);
      addresses_.insert({frame.begin(), frame.begin() + 12});
      EXPECT_TRUE(receiver_.device.deliver(header, kLongHeader, frame));
      sender_.device.use(chain->head, 0);
      ++moved;
    }
    return moved;
  }
  bool check_payload_ = true;
};

TEST_P(StreamTest, RingsOnlyCountsEveryFrame) {
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  ReceiveStream receive(receiver_.ring, receiver_.memory, receive_options());
  transmit.aim({0, 8, {1}});
  uint64_t moved = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    transmit.turn_rings();
    receive.turn_rings();
    moved += static_cast<uint64_t>(forward());
  }
  EXPECT_EQ(moved, 64'000u);
  receive.turn_rings();
  EXPECT_EQ(transmit.drain(), 0u);
  EXPECT_EQ(transmit.returned(), moved);
  EXPECT_EQ(receive.counts().frames, moved);
  EXPECT_EQ(addresses_.size(), 8u);
  uint32_t looked_at = 0;
  EXPECT_EQ(receive.audit(looked_at), 0u);
  EXPECT_EQ(looked_at, 64u);
}

TEST_P(StreamTest, TouchingWritesAndChecksEveryFrame) {
  check_payload_ = false;  // only heads are written anew
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  ReceiveStream receive(receiver_.ring, receiver_.memory, receive_options());
  transmit.aim({0, 200, {1}});
  uint64_t moved = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    transmit.turn_touch();
    receive.turn_touch();
    moved += static_cast<uint64_t>(forward());
  }
  receive.turn_touch();
  EXPECT_EQ(receive.counts().frames, moved);
  EXPECT_EQ(receive.counts().wrong, 0u);
  EXPECT_EQ(receive.counts().misordered, 0u);
  EXPECT_EQ(receive.counts().bad_headers, 0u);
  EXPECT_EQ(receive.counts().protocol_errors + transmit.protocol_errors(), 0u);
  EXPECT_EQ(addresses_.size(), 200u);
}

TEST_P(StreamTest, FramesForOthersAreWrong) {
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  ReceiveStream receive(receiver_.ring, receiver_.memory, receive_options());
  transmit.aim({0, 1, {5, kFlood}});
  transmit.turn_rings();
  receive.turn_touch();
  forward();
  receive.turn_touch();
  EXPECT_EQ(receive.counts().frames, 64u);
  EXPECT_EQ(receive.counts().wrong, 32u);
  uint32_t looked_at = 0;
  EXPECT_EQ(receive.audit(looked_at), 32u);
}

TEST_P(StreamTest, RepeatedFramesAreMisordered) {
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  ReceiveStream receive(receiver_.ring, receiver_.memory, receive_options());
  transmit.aim({0, 1, {1}});
  for (int turn = 0; turn < 2; ++turn) {
    transmit.turn_rings();  // the same 64 frames in each turn
    receive.turn_touch();
    forward();
  }
  receive.turn_touch();
  EXPECT_EQ(receive.counts().frames, 128u);
  EXPECT_EQ(receive.counts().misordered, 1u);  // one step back
}

TEST_P(StreamTest, SendHandsOutExactlyThatMany) {
  check_payload_ = false;
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  ReceiveStream receive(receiver_.ring, receiver_.memory, receive_options());
  receive.turn_touch();
  transmit.aim({0, 100, {kFlood}});
  uint32_t sent = 0;
  while (sent < 100) {
    sent += transmit.send(100 - sent);
    forward();
    receive.turn_touch();
  }
  EXPECT_EQ(receive.counts().frames, 100u);
  EXPECT_EQ(addresses_.size(), 100u);
  EXPECT_EQ(transmit.drain(), 0u);
}

TEST_P(StreamTest, ADeviceThatReturnsTooMuchIsCountedAndBounded) {
  TransmitStream transmit(sender_.ring, sender_.memory, transmit_options());
  transmit.aim({0, 1, {1}});
  transmit.turn_rings();
  sender_.device.use_batch(70, 0, 1000);
  EXPECT_LE(transmit.turn_rings(), 64u);
  EXPECT_GE(transmit.protocol_errors(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, StreamTest,
                         testing::Combine(testing::Values(StreamShape::direct,
                                                          StreamShape::indirect3),
                                          testing::Bool()));

TEST(BufferOrder, GivesEachSlotAPlaceOfItsOwn) {
  const std::vector<uint16_t> in_order = buffer_order(64, false);
  const std::vector<uint16_t> scattered = buffer_order(64, true);
  EXPECT_EQ(63, in_order[63]);
  EXPECT_EQ(64u, std::set<uint16_t>(scattered.begin(), scattered.end()).size());
  EXPECT_EQ(32, scattered[1]);
  EXPECT_EQ(63, scattered[63]);
}

uint16_t folded(const std::vector<uint8_t>& bytes, std::size_t from, std::size_t to) {
  uint32_t sum = 0;
  for (std::size_t i = from; i < to; i += 2) sum += uint32_t{bytes[i]} << 8 | bytes[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

TEST(TransmitStream, SegmentsSayWhereToCutThem) {
  End end;
  TransmitStreamOptions options;
  options.frame_size = 214;
  options.gso_size = 40;
  TransmitStream transmit(end.ring, end.memory, options);
  transmit.aim({0, 1, {1}});
  transmit.turn_rings();
  const std::vector<uint8_t> bytes = end.device.read(end.device.take().value());
  ASSERT_EQ(bytes.size(), kLongHeader + 214u);
  NetHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(header, (NetHeader{kNeedsChecksum, kGsoTcpIpv4, 54, 40, 34, 16, 0}));
  const std::vector<uint8_t> frame(bytes.begin() + kLongHeader, bytes.end());
  EXPECT_TRUE(is_segment_for(frame, 1));
  EXPECT_FALSE(is_segment_for(frame, 2));
  EXPECT_EQ(frame[16] << 8 | frame[17], 200) << "IPv4's total length";
  EXPECT_EQ(folded(frame, 14, 34), 0xffff) << "IPv4's checksum";
  // RFC 9293, 3.1: addresses, protocol and length of the segment, which is 180 bytes.
  EXPECT_EQ(frame[50] << 8 | frame[51], (folded(frame, 26, 34) + 6 + 180) % 0xffff);
}

TEST(TransmitStream, WhatFloodsIsNoSegment) {
  End end;
  TransmitStreamOptions options;
  options.frame_size = 2000;
  options.gso_size = 1000;
  TransmitStream transmit(end.ring, end.memory, options);
  transmit.aim({0, 1, {kFlood}});
  transmit.send(1);
  EXPECT_EQ(end.device.read(end.device.take().value()).size(), kLongHeader + 60u);
}

TEST(ReceiveStream, MergesAFrameOverSeveralBuffers) {
  End end;
  ReceiveStreamOptions options;
  options.buffer_size = 100;
  ReceiveStream receive(end.ring, end.memory, options);
  receive.turn_touch();
  NetHeader header;
  header.num_buffers = 4;
  const auto frame = make_frame({guest_mac(0, 0), guest_mac(0, 1), 0, 0, 1}, 350);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(end.device.deliver(header, kLongHeader, frame));
  EXPECT_EQ(receive.turn_touch(), 10u);
  EXPECT_EQ(receive.counts().wrong, 0u);
  EXPECT_EQ(receive.counts().bad_headers, 0u);
}

TEST(ReceiveStream, HeaderWithoutBuffersIsBad) {
  End end;
  ReceiveStream receive(end.ring, end.memory, {});
  receive.turn_touch();
  ASSERT_TRUE(end.device.deliver({}, kLongHeader, make_frame({}, 60)));
  EXPECT_EQ(receive.turn_touch(), 1u);
  EXPECT_EQ(receive.counts().bad_headers, 1u);
}

}  // namespace
}  // namespace frontend
