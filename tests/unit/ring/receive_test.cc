// Delivering frames into a receive ring: every shape that a driver may choose for its buffers.
#include "ring/receive_fixture.h"

namespace vhost::test {
namespace {

const std::vector<size_t> kLengths = {14,  15,  19,  20,  21,   51,   52,   53,   59,   60,  64,
                                      83,  84,  85,  115, 116,  117,  127,  128,  129,  243, 244,
                                      500, 511, 512, 513, 1514, 1518, 4096, 9000, 9233, 9234};

TEST_F(ReceiveTest, OneBufferForFramesOfEveryLength) {
  for (size_t length = 14; length <= 200; ++length) {
    next_buffer_ = kBuffers;
    expect_delivered(length, {buffer(length + 12)});
    expect_delivered(length, {buffer(length + 13)});
    if (batch_->count > 200) {
      batch_->clear();
      sent_.clear();
      first_ = 0;
    }
  }
}

TEST_F(ReceiveTest, OneBufferForLongerFrames) {
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_delivered(length, {buffer(length + 12)});
    expect_delivered(length, {buffer(length + 400)});
  }
}

TEST_F(ReceiveTest, ABufferThatEndsWhereMemoryEnds) {
  for (const size_t length : kLengths) {
    const auto size = static_cast<uint32_t>(length + 12);
    expect_delivered(length, {{kEnd - size, size, kDescWrite, 0}});
  }
}

TEST_F(ReceiveTest, TailsInPieces) {
  for (const size_t segment : {1u, 3u, 31u, 32u, 33u, 100u, 500u}) {
    batch_->clear();
    sent_.clear();
    first_ = 0;
    next_buffer_ = kBuffers;
    expect_delivered(117, {buffer(200)}, false, segment);
    expect_delivered(700, {buffer(800)}, false, segment);
    expect_delivered(700, {buffer(12), buffer(800)}, false, segment);
    expect_delivered(700, {buffer(50), buffer(100), buffer(100), buffer(500)}, false, segment);
  }
}

// --- Chains.

TEST_F(ReceiveTest, HeaderAloneInItsBuffer) {
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_delivered(length, {buffer(12), buffer(length)});
    expect_delivered(length, {buffer(12), buffer(length + 100)});
  }
}

TEST_F(ReceiveTest, ChainsCutAnywhere) {
  for (size_t cut = 1; cut < 240; ++cut) {
    if (batch_->count == Batch::kCapacity) batch_->clear();
    next_buffer_ = kBuffers;
    expect_delivered(240, {buffer(cut), buffer(252 - cut)});
  }
}

TEST_F(ReceiveTest, ChainsOfManyPieces) {
  for (const size_t length : {1u, 2u, 3u, 7u, 13u, 100u}) {
    next_buffer_ = kBuffers;
    std::vector<Descriptor> links;
    for (size_t room = 0; room < 240; room += length) links.push_back(buffer(length));
    expect_delivered(228, links);
    expect_delivered(100, links);
    next_id_ = 0;
  }
}

TEST_F(ReceiveTest, PiecesOfLengthZeroHoldNothing) {
  expect_delivered(200, {buffer(0), buffer(12), buffer(0), buffer(300), buffer(0)});
}

TEST_F(ReceiveTest, IndirectTables) {
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_delivered(length, {buffer(length + 12)}, true);
    expect_delivered(length, {buffer(12), buffer(length + 5)}, true);
  }
}

TEST_F(ReceiveTest, BuffersAcrossTwoAdjacentRegions) {
  for (const size_t length : {60u, 300u, 1518u}) {
    const auto size = static_cast<uint32_t>(length + 12);
    for (uint32_t before = 1; before < size; before += before < 150 ? 7 : 211) {
      if (batch_->count == Batch::kCapacity) batch_->clear();
      memory_.put(kSeam - before, Bytes(size, kUntouched));
      expect_delivered(length, {{kSeam - before, size, kDescWrite, 0}});
    }
  }
}

TEST_F(ReceiveTest, BuffersLongerThanAnyFrame) {
  expect_delivered(100, {{kBuffers, kSeam - kBuffers, kDescWrite, 0}});
  memory_.put(kBuffers, Bytes(200, kUntouched));
  offer({{kBuffers, 0xffffffff, kDescWrite, 0}});
  frame(100);
  EXPECT_EQ(1u, deliver().delivered) << "what no frame reaches need not be there";
}

TEST_F(ReceiveTest, LegacyHeaderOfTenBytes) {
  set_up(256, 0);
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_delivered(length, {buffer(length + 10)});
    expect_delivered(length, {buffer(length + 100)});
    expect_delivered(length, {buffer(10), buffer(length)});
    next_id_ = 0;
  }
}

// --- Mergeable buffers (virtio 1.2, 5.1.6.4).

class MergeableTest : public ReceiveTest {
 protected:
  MergeableTest() { set_up(256, kMergeable); }

  // One frame into buffers of these chains.
  void expect_merged(size_t length, const std::vector<std::vector<Descriptor>>& buffers) {
    std::vector<uint16_t> heads;
    std::vector<Descriptor> pieces;
    for (const auto& chain_of_one : buffers) {
      heads.push_back(offer(chain_of_one));
      pieces.insert(pieces.end(), chain_of_one.begin(), chain_of_one.end());
    }
    const uint16_t before = driver_->used_index();
    const uint16_t slot = frame(length);
    ASSERT_EQ(1u, deliver().delivered);
    ASSERT_EQ(before + buffers.size(), driver_->used_index());
    size_t left = length + 12;
    for (uint16_t i = 0; i < buffers.size(); ++i) {
      size_t capacity = 0;
      for (const Descriptor& part : buffers[i]) capacity += part.length;
      const UsedElement used = driver_->used(static_cast<uint16_t>(before + i));
      EXPECT_EQ(heads[i], used.id);
      EXPECT_EQ(std::min(left, capacity), used.length);
      left -= used.length;
    }
    EXPECT_EQ(0u, left);
    EXPECT_EQ(arriving(slot, static_cast<uint8_t>(buffers.size())), read(pieces, length + 12));
  }
};

TEST_F(MergeableTest, OneBufferIsEnough) {
  expect_merged(1500, {{buffer(1536)}});
  expect_merged(1500, {{buffer(1512)}});
}

TEST_F(MergeableTest, AsManyAsTheFrameNeeds) {
  expect_merged(1500, {{buffer(1511)}, {buffer(1511)}});
  expect_merged(1500, {{buffer(1000)}, {buffer(512)}});
  expect_merged(9000, {{buffer(1536)},
                       {buffer(1536)},
                       {buffer(1536)},
                       {buffer(1536)},
                       {buffer(1536)},
                       {buffer(1536)}});
  std::vector<std::vector<Descriptor>> small(100);
  for (auto& one : small) one = {buffer(13)};
  expect_merged(1288, small);
}

TEST_F(MergeableTest, HeaderAcrossBuffers) {
  expect_merged(100, {{buffer(5)}, {buffer(5)}, {buffer(5)}, {buffer(100)}});
  expect_merged(100, {{buffer(12)}, {buffer(100)}});
}

TEST_F(MergeableTest, BuffersThatAreChainsThemselves) {
  expect_merged(700,
                {{buffer(12), buffer(100)}, {buffer(50), buffer(50), buffer(50)}, {buffer(450)}});
}

TEST_F(MergeableTest, BuffersThatAreNotNeededStay) {
  offer_buffers(10, 1000);
  frame(1500);
  EXPECT_EQ(1u, deliver().delivered);
  EXPECT_EQ(2, driver_->used_index());
  EXPECT_EQ(2u, taken(ring_));
  frame(100);
  EXPECT_EQ(1u, deliver().delivered);
  EXPECT_EQ(3, driver_->used_index());
}

TEST_F(MergeableTest, TooFewBuffersTakeNone) {
  offer_buffers(5, 1000);
  const uint16_t big = frame(6000);
  const uint16_t small = frame(60);
  const Delivery result = deliver({big, small, big});
  EXPECT_EQ(2u, result.no_buffer);
  EXPECT_EQ(1u, result.delivered) << "the small one still fits";
  EXPECT_EQ(1, driver_->used_index());
}

TEST_F(MergeableTest, FramesOfBothKindsInOneList) {
  offer_buffers(20, 1600);
  for (const size_t length : {60u, 1500u, 9000u, 60u, 1588u, 1589u, 100u}) frame(length);
  const Delivery result = deliver();
  EXPECT_EQ(7u, result.delivered);
  EXPECT_EQ(1 + 1 + 6 + 1 + 1 + 2 + 1, driver_->used_index());
  EXPECT_EQ(60u + 1500 + 9000 + 60 + 1588 + 1589 + 100, result.bytes);
}

// --- Lists, counts, indices.

TEST_F(ReceiveTest, MoreFramesThanBuffers) {
  offer_buffers(3);
  for (int i = 0; i < 5; ++i) frame(60);
  const Delivery result = deliver();
  EXPECT_EQ(3u, result.delivered);
  EXPECT_EQ(2u, result.no_buffer);
  EXPECT_EQ(180u, result.bytes);
  EXPECT_EQ(tallies_[0] + tallies_[1] + tallies_[2], result.tally);
  EXPECT_EQ(3, driver_->used_index());
}

TEST_F(ReceiveTest, NoBuffersNoIndexNoInterrupt) {
  frame(60);
  const Delivery result = deliver();
  EXPECT_EQ(1u, result.no_buffer);
  EXPECT_FALSE(result.interrupt);
  EXPECT_EQ(0, driver_->used_index());
}

TEST_F(ReceiveTest, AStoppedRingTakesNothing) {
  offer_buffers(3);
  ring_.set_running(false);
  frame(60);
  frame(60);
  const Delivery result = deliver();
  EXPECT_EQ(2u, result.no_guest);
  EXPECT_EQ(0, driver_->used_index());
  EXPECT_FALSE(result.interrupt);
}

TEST_F(ReceiveTest, AFrameLongerThanItsBufferIsDroppedAndTheBufferStays) {
  offer_buffers(2, 100);
  const Delivery first = deliver({frame(89)});
  EXPECT_EQ(1u, first.too_small);
  EXPECT_EQ(0, driver_->used_index());
  const Delivery second = deliver({frame(88), frame(89), frame(60)});
  EXPECT_EQ(2u, second.delivered);
  EXPECT_EQ(1u, second.too_small);
  EXPECT_EQ(2, driver_->used_index());
  EXPECT_EQ(arriving(3), memory_.get(driver_->descriptor(1).address, 72));
}

TEST_F(ReceiveTest, TheWholeBatchInOneList) {
  offer_buffers(256, 80);
  for (unsigned i = 0; i < Batch::kCapacity; ++i) frame(60, i);
  const Delivery result = deliver();
  EXPECT_EQ(256u, result.delivered);
  for (uint16_t i = 0; i < 256; ++i) {
    EXPECT_EQ(i, driver_->used(i).id);
    EXPECT_EQ(arriving(i), memory_.get(driver_->descriptor(i).address, 72)) << i;
  }
}

// Buffers are looked at in an order of their own (buffer_order.h).
TEST_F(ReceiveTest, FromAChainOnTheCarefulWayInOrder) {
  constexpr uint16_t kFrames = 64;
  for (const unsigned odd : {0u, 1u, 31u, 40u, 63u}) {
    set_up(256, kModern);
    batch_->clear();
    sent_.clear();
    first_ = 0;
    std::vector<Bytes> expected;
    std::vector<std::vector<Descriptor>> buffers;
    for (unsigned i = 0; i < kFrames; ++i) {
      buffers.push_back(i == odd || i == 50 ? std::vector{buffer(20), buffer(80)}
                                            : std::vector{buffer(100)});
      offer(buffers.back());
      expected.push_back(arriving(frame(60, i)));
    }
    EXPECT_EQ(kFrames, deliver().delivered);
    ASSERT_EQ(kFrames, driver_->used_index());
    for (uint16_t i = 0; i < kFrames; ++i) EXPECT_EQ(expected[i], read(buffers[i], 72)) << i;
  }
}

TEST_F(ReceiveTest, TheOrderOfTheListIsTheOrderOfArrival) {
  offer_buffers(4);
  for (unsigned i = 0; i < 4; ++i) frame(60 + i, i);
  EXPECT_EQ(3u, deliver({3, 0, 2}).delivered);
  EXPECT_EQ(63u + 12, driver_->used(0).length);
  EXPECT_EQ(60u + 12, driver_->used(1).length);
  EXPECT_EQ(62u + 12, driver_->used(2).length);
}

TEST_F(ReceiveTest, IndicesWrapAtSixteenBits) {
  set_up(8, kModern, 65531);
  for (unsigned round = 0; round < 40; ++round) {
    next_buffer_ = kBuffers;
    offer_buffers(3, 128);
    const uint16_t before = driver_->used_index();
    batch_->clear();
    sent_.clear();
    first_ = 0;
    for (unsigned i = 0; i < 3; ++i) frame(60 + i, round);
    ASSERT_EQ(3u, deliver().delivered);
    ASSERT_EQ(static_cast<uint16_t>(before + 3), driver_->used_index());
    for (uint16_t i = 0; i < 3; ++i) {
      const UsedElement used = driver_->used(static_cast<uint16_t>(before + i));
      ASSERT_EQ(72u + i, used.length);
      const auto id = static_cast<uint16_t>(used.id);
      ASSERT_EQ(arriving(i), memory_.get(driver_->descriptor(id).address, used.length));
    }
  }
}

TEST_F(ReceiveTest, TheDriverIsToldWhenItWantsToBe) {
  set_up(256, kModern | kEventIdx);
  offer_buffers(10);
  frame(60);
  EXPECT_TRUE(deliver({0}).interrupt) << "the first after attaching";
  driver_->set_event(3);
  EXPECT_FALSE(deliver({0, 0}).interrupt);
  EXPECT_TRUE(deliver({0}).interrupt);
  EXPECT_FALSE(deliver({0}).interrupt);
  set_up(256, kModern);
  offer_buffers(2);
  EXPECT_TRUE(deliver({0}).interrupt);
  driver_->set_flags(kAvailNoInterrupt);
  EXPECT_FALSE(deliver({0}).interrupt);
}

}  // namespace
}  // namespace vhost::test
