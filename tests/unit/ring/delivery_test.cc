// From one guest's transmit ring into another's receive ring, as a turn does it: every shape on one
// side with every shape on the other, and senders that change their memory under way.
#include "ring/receive_fixture.h"
#include "ring/transmit_fixture.h"

namespace vhost::test {
namespace {

constexpr uint64_t kIndirect = feature::bit(feature::kRingIndirectDesc);
constexpr uint64_t kModern = feature::bit(feature::kVersion1) | kIndirect;
constexpr uint64_t kMergeable = kModern | feature::bit(feature::kNetMergeableRxBuf);
constexpr uint64_t kSeam = 0x80000;

class Sender : public TransmitTest {
 public:
  using TransmitTest::batch_;
  using TransmitTest::header;
  using TransmitTest::memory_;
  using TransmitTest::next_buffer_;
  using TransmitTest::offer;
  using TransmitTest::piece;
  using TransmitTest::ring_;
  using TransmitTest::set_up;
  using TransmitTest::table;
  using TransmitTest::take;
  void TestBody() override {}
};

class Receiver : public ReceiveTest {
 public:
  using ReceiveTest::buffer;
  using ReceiveTest::driver_;
  using ReceiveTest::memory_;
  using ReceiveTest::offer;
  using ReceiveTest::ring_;
  using ReceiveTest::set_up;
  using ReceiveTest::table;
  void TestBody() override {}
};

class DeliveryTest : public ::testing::Test {
 protected:
  // Sends what is in the batch, and returns it as the receiver finds it in these pieces.
  Bytes deliver(const std::vector<Descriptor>& pieces) {
    const std::array<uint16_t, 1> slots = {0};
    const std::array<uint32_t, 1> tallies = {1};
    const uint16_t before = receiver_.driver_->used_index();
    const Delivery result = receiver_.ring_.deliver(*sender_.batch_, slots, tallies.data());
    EXPECT_EQ(1u, result.delivered);
    sender_.ring_.give_back(*sender_.batch_, 0, 1);
    uint32_t length = 0;
    for (uint16_t i = before; i != receiver_.driver_->used_index(); ++i) {
      length += receiver_.driver_->used(i).length;
    }
    Bytes bytes;
    for (const Descriptor& part : pieces) {
      const size_t some = std::min<size_t>(length - bytes.size(), part.length);
      const Bytes found = receiver_.memory_.get(part.address, some);
      bytes.insert(bytes.end(), found.begin(), found.end());
    }
    return bytes;
  }

  Sender sender_;
  Receiver receiver_;
};

// --- Every shape with every shape.

using Links = std::vector<Descriptor>;

Links send_one(Sender& s, const Bytes& frame) {
  return {s.piece(joined({Bytes(12), frame}))};
}
Links send_header_alone(Sender& s, const Bytes& frame) {
  return {s.piece(Bytes(12)), s.piece(frame)};
}
Links send_table(Sender& s, const Bytes& frame) {
  return {s.table({s.piece(Bytes(12)), s.piece(frame)})};
}
Links send_bits(Sender& s, const Bytes& frame) {
  const Bytes bytes = joined({Bytes(12), frame});
  Links links;
  const size_t step = bytes.size() / 40 + 1;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
    const auto length = static_cast<ptrdiff_t>(std::min(step, bytes.size() - at));
    links.push_back(s.piece(Bytes(from, from + length)));
  }
  return links;
}
Links send_across_regions(Sender& s, const Bytes& frame) {
  const Bytes bytes = joined({Bytes(12), frame});
  const uint64_t where = kSeam - bytes.size() / 2;
  s.memory_.put(where, bytes);
  return {{where, static_cast<uint32_t>(bytes.size()), 0, 0}};
}
Links send_legacy(Sender& s, const Bytes& frame) {
  return {s.piece(joined({Bytes(10), frame}))};
}

struct SendShape {
  const char* name;
  uint64_t features;
  Links (*build)(Sender& sender, const Bytes& frame);
};
const std::vector<SendShape> kSendShapes = {
    {"one", kModern, send_one},     {"header alone", kModern, send_header_alone},
    {"table", kModern, send_table}, {"bits", kModern, send_bits},
    {"legacy", 0, send_legacy},     {"two regions", kModern, send_across_regions}};

// These offer buffers that hold `length` bytes, and return their pieces.
Links offer_each(Receiver& r, Links pieces) {
  for (const Descriptor& part : pieces) r.offer({part});
  return pieces;
}
Links receive_one(Receiver& r, size_t length) {
  return offer_each(r, {r.buffer(length)});
}
Links receive_chain(Receiver& r, size_t length) {
  const Links pieces = {r.buffer(12), r.buffer(13), r.buffer(length)};
  r.offer(pieces);
  return pieces;
}
Links receive_table(Receiver& r, size_t length) {
  const Links pieces = {r.buffer(12), r.buffer(length)};
  r.offer({r.table(pieces)});
  return pieces;
}
Links receive_merged(Receiver& r, size_t length) {
  const size_t part = length / 7 + 1;
  Links pieces;
  for (size_t room = 0; room < length; room += part) pieces.push_back(r.buffer(part));
  return offer_each(r, pieces);
}

struct ReceiveShape {
  const char* name;
  uint64_t features;
  Links (*build)(Receiver& receiver, size_t length);
};
const std::vector<ReceiveShape> kReceiveShapes = {{"one", kModern, receive_one},
                                                  {"chain", kModern, receive_chain},
                                                  {"table", kModern, receive_table},
                                                  {"mergeable", kMergeable, receive_merged},
                                                  {"legacy", 0, receive_chain}};

TEST_F(DeliveryTest, EveryShapeIntoEveryShape) {
  for (const SendShape& from : kSendShapes) {
    for (const ReceiveShape& to : kReceiveShapes) {
      const size_t header = to.features == 0 ? 10 : 12;
      for (const size_t length : {14u, 60u, 64u, 116u, 117u, 128u, 300u, 1518u, 9234u}) {
        const Bytes frame = pattern(length, static_cast<unsigned>(length));
        sender_.set_up(256, from.features);
        receiver_.set_up(256, to.features);
        sender_.offer(from.build(sender_, frame));
        ASSERT_EQ(1u, sender_.take());
        const auto pieces = to.build(receiver_, length + header);
        const Bytes arrived = deliver(pieces);
        ASSERT_EQ(length + header, arrived.size()) << from.name << " -> " << to.name;
        const auto body = arrived.begin() + static_cast<ptrdiff_t>(header);
        ASSERT_EQ(frame, Bytes(body, arrived.end())) << from.name << " -> " << to.name;
      }
    }
  }
}

// --- What was checked is what is delivered (the head; of the tail nothing is decided on).

TEST_F(DeliveryTest, AHeadChangedAfterItWasTakenIsDeliveredAsItWas) {
  for (const SendShape& from : kSendShapes) {
    for (const ReceiveShape& to : kReceiveShapes) {
      const size_t header = to.features == 0 ? 10 : 12;
      sender_.set_up(256, from.features);
      receiver_.set_up(256, to.features);
      const Bytes frame = pattern(300);
      sender_.offer(from.build(sender_, frame));
      ASSERT_EQ(1u, sender_.take());
      // All buffers of the sender, and what it says of them.
      sender_.memory_.fill(0x18000, 0x90000 - 0x18000, 0x55);
      sender_.memory_.fill(0x10000, 4096, 0xff);
      const Bytes arrived = deliver(to.build(receiver_, 300 + header));
      ASSERT_EQ(300 + header, arrived.size()) << "nor does the length change";
      for (size_t i = 0; i < 300; ++i) {
        const uint8_t expected = i < kHeadFrameBytes ? frame[i] : 0x55;
        ASSERT_EQ(expected, arrived[header + i]) << from.name << " -> " << to.name << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace vhost::test
