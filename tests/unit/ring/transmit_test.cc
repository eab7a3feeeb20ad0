// Taking frames from a transmit ring: every shape that a driver may choose for them.
#include "ring/transmit_fixture.h"

namespace vhost::test {
namespace {

// Frames around every boundary of the copies, and the longest.
const std::vector<size_t> kLengths = {14,  15,  19,  20,  21,   51,   52,   53,   59,   60,  64,
                                      83,  84,  85,  115, 116,  117,  127,  128,  129,  243, 244,
                                      500, 511, 512, 513, 1514, 1518, 4096, 9000, 9233, 9234};

TEST_F(TransmitTest, OneDescriptorOfEveryLength) {
  for (size_t length = 14; length <= 700; ++length) {
    next_buffer_ = kBuffers;
    const Bytes frame = pattern(length, static_cast<unsigned>(length));
    expect_frame(frame, {piece(joined({header(), frame}))});
  }
}

TEST_F(TransmitTest, OneDescriptorThatEndsWhereMemoryEnds) {
  for (const size_t length : kLengths) {
    const Bytes bytes = joined({header(), pattern(length)});
    const uint64_t where = kEnd - bytes.size();
    memory_.put(where, bytes);
    expect_frame(pattern(length), {{where, static_cast<uint32_t>(bytes.size()), 0, 0}});
  }
}

TEST_F(TransmitTest, HeaderAloneInItsDescriptor) {
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_frame(pattern(length), {piece(header()), piece(pattern(length))});
  }
}

// The same bytes, cut at every place near the header and the end of the head.
TEST_F(TransmitTest, CutInTwoAnywhere) {
  const Bytes bytes = joined({header(), pattern(300)});
  for (ptrdiff_t cut = 0; cut <= 312; ++cut) {
    next_buffer_ = kBuffers;
    expect_frame(pattern(300), {piece(Bytes(bytes.begin(), bytes.begin() + cut)),
                                piece(Bytes(bytes.begin() + cut, bytes.end()))});
  }
}

std::vector<Bytes> slices(const Bytes& bytes, size_t length) {
  std::vector<Bytes> parts;
  for (size_t at = 0; at < bytes.size(); at += length) {
    const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
    parts.emplace_back(from, from + static_cast<ptrdiff_t>(std::min(length, bytes.size() - at)));
  }
  return parts;
}

TEST_F(TransmitTest, ChainsOfManyEqualPieces) {
  const Bytes frame = pattern(240);
  for (const size_t length : {1u, 2u, 3u, 5u, 7u, 11u, 13u, 50u, 127u}) {
    next_buffer_ = kBuffers;
    std::vector<Descriptor> links;
    for (const Bytes& part : slices(joined({header(), frame}), length)) {
      links.push_back(piece(part));
    }
    expect_frame(frame, links);
  }
}

TEST_F(TransmitTest, AChainAsLongAsTheRing) {
  std::vector<Descriptor> links;
  for (const Bytes& part : slices(joined({header(), pattern(244)}), 1))
    links.push_back(piece(part));
  ASSERT_EQ(256u, links.size());
  expect_frame(pattern(244), links);
}

TEST_F(TransmitTest, PiecesOfLengthZeroAreNothing) {
  const Bytes none;
  expect_frame(pattern(200),
               {piece(none), piece(header()), piece(none), piece(pattern(200)), piece(none)});
}

TEST_F(TransmitTest, IndirectTables) {
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_frame(pattern(length), {table({piece(joined({header(), pattern(length)}))})});
    expect_frame(pattern(length), {table({piece(header()), piece(pattern(length))})});
  }
  std::vector<Descriptor> links;
  for (const Bytes& part : slices(joined({header(), pattern(244)}), 1))
    links.push_back(piece(part));
  expect_frame(pattern(244), {table(links)});
}

// Any order of entries is a chain; only the first one's place is laid down.
TEST_OF_SPLIT_RINGS(TransmitTest, AnIndirectTableInAnyOrder) {
  Descriptor first = piece(header(), kDescNext);
  first.next = 2;
  Descriptor middle = piece(pattern(100, 1), kDescNext);
  middle.next = 1;
  const Descriptor last = piece(pattern(100, 2));
  expect_frame(joined({pattern(100, 1), pattern(100, 2)}), {raw_table({first, last, middle})});
}

// A table may be reached behind links of the ring in no standard; header links are not skipped.
TEST_F(TransmitTest, TheNextFieldMeansNothingWithoutItsFlag) {
  Descriptor alone = piece(joined({header(), pattern(60)}));
  alone.next = 0xffff;
  expect_frame(pattern(60), {alone});
  Descriptor last = piece(pattern(60));
  last.next = 0xffff;
  expect_frame(pattern(60), {piece(header()), last});
}

TEST_F(TransmitTest, BuffersAcrossTwoAdjacentRegions) {
  for (const size_t length : kLengths) {
    const Bytes bytes = joined({header(), pattern(length)});
    for (size_t before = 1; before < bytes.size(); before += before < 150 ? 1 : 211) {
      const uint64_t where = kSeam - before;
      memory_.put(where, bytes);
      expect_frame(pattern(length), {{where, static_cast<uint32_t>(bytes.size()), 0, 0}});
    }
  }
}

TEST_F(TransmitTest, LegacyHeaderOfTenBytes) {
  set_up(256, 0);
  for (const size_t length : kLengths) {
    next_buffer_ = kBuffers;
    expect_frame(pattern(length), {piece(joined({header(10), pattern(length)}))});
    expect_frame(pattern(length), {piece(header(10)), piece(pattern(length))});
  }
}

TEST_F(TransmitTest, LegacyHeaderOfTwelveBytesWithMergeableBuffers) {
  set_up(256, feature::bit(feature::kNetMergeableRxBuf));
  expect_frame(pattern(64), {piece(joined({header(12), pattern(64)}))});
}

// Hints that mean nothing without an offload (virtio 1.2, 5.1.6.2) are not passed on.
TEST_F(TransmitTest, HarmlessHeaderFieldsAreCleared) {
  for (const size_t length : {30u, 60u, 200u}) {
    const Bytes odd = {0xfe, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    expect_frame(pattern(length), {piece(joined({odd, pattern(length)}))});
    expect_frame(pattern(length), {piece(odd), piece(pattern(length))});
  }
}

TEST_F(TransmitTest, NoMoreThanABurstAndNoMoreThanTheLimit) {
  for (int i = 0; i < 100; ++i) offer({piece(joined({header(), pattern(60)}))});
  EXPECT_EQ(5u, take(5));
  EXPECT_EQ(5u, taken(ring_));
  EXPECT_EQ(64u, take());
  EXPECT_EQ(31u, take());
  EXPECT_EQ(0u, take());
  EXPECT_EQ(0u, batch_->count);
}

TEST_F(TransmitTest, BurstsOfOneTurnStandBehindEachOther) {
  for (unsigned i = 0; i < 6; ++i) {
    offer({piece(header()), piece(pattern(200 + i, i)), piece(pattern(50, i))});
  }
  batch_->clear();
  EXPECT_EQ(2u, ring_.take(*batch_, 2));
  EXPECT_EQ(4u, ring_.take(*batch_, 64));
  ASSERT_EQ(6u, batch_->count);
  for (unsigned i = 0; i < 6; ++i) {
    EXPECT_EQ(joined({pattern(200 + i, i), pattern(50, i)}), frame_of(*batch_, i));
  }
}

TEST_F(TransmitTest, ShapesMayBeMixedInOneBurst) {
  std::vector<Bytes> frames;
  for (unsigned i = 0; i < 40; ++i) {
    frames.push_back(pattern(60 + 31 * i, i));
    const Bytes whole = joined({header(), frames.back()});
    if (i % 4 == 0) offer({piece(whole)});
    if (i % 4 == 1) offer({piece(header()), piece(frames.back())});
    if (i % 4 == 2) offer({table({piece(header()), piece(frames.back())})});
    if (i % 4 == 3) offer({piece(Bytes(9))});  // a bad one between them
  }
  ASSERT_EQ(40u, take());
  for (unsigned i = 0; i < 40; ++i) {
    const bool bad = i % 4 == 3;
    EXPECT_EQ(bad ? FrameFault::malformed : FrameFault::none, batch_->fault[i]) << i;
    if (!bad) {
      EXPECT_EQ(frames[i], frame_of(*batch_, i)) << i;
    }
  }
}

// --- Giving back (VIRTIO_F_IN_ORDER: in the order they came).

TEST_F(TransmitTest, ChainsComeBackInOrderWithTheirHeads) {
  std::vector<uint16_t> heads;
  for (int i = 0; i < 50; ++i) heads.push_back(offer({piece(header()), piece(pattern(60))}));
  ASSERT_EQ(50u, take());
  EXPECT_EQ(0, driver_->used_index()) << "nothing is returned before it is delivered";
  ring_.give_back(*batch_, 0, 20);
  EXPECT_EQ(20, driver_->used_index());
  ring_.give_back(*batch_, 20, 30);
  ASSERT_EQ(50, driver_->used_index());
  for (uint16_t i = 0; i < 50; ++i) {
    EXPECT_EQ(heads[i], driver_->used(i).id);
    EXPECT_EQ(0u, driver_->used(i).length) << "nothing was written into it";
  }
}

TEST_F(TransmitTest, IndicesWrapAtSixteenBits) {
  set_up(8, kModern, 65530);
  for (unsigned round = 0; round < 40; ++round) {
    next_buffer_ = kBuffers;
    std::vector<uint16_t> heads;
    for (unsigned i = 0; i < 5; ++i) {
      heads.push_back(offer({piece(joined({header(), pattern(60, round * 5 + i)}))}));
    }
    const uint16_t before = driver_->used_index();
    ASSERT_EQ(5u, take());
    for (unsigned i = 0; i < 5; ++i) ASSERT_EQ(pattern(60, round * 5 + i), frame_of(*batch_, i));
    ring_.give_back(*batch_, 0, 5);
    ASSERT_EQ(driver_->avail_index(), driver_->used_index());
    for (uint16_t i = 0; i < 5; ++i) {
      ASSERT_EQ(heads[i], driver_->used(static_cast<uint16_t>(before + i)).id);
    }
  }
}

TEST_F(TransmitTest, TheDriverIsToldWhenItWantsToBe) {
  set_up(256, kModern | kEventIdx);
  for (int i = 0; i < 30; ++i) offer({piece(joined({header(), pattern(60)}))});
  ASSERT_EQ(30u, take());
  EXPECT_TRUE(ring_.give_back(*batch_, 0, 1)) << "the first after attaching";
  driver_->set_event(15);
  EXPECT_FALSE(ring_.give_back(*batch_, 1, 14));
  EXPECT_TRUE(ring_.give_back(*batch_, 15, 1));
  EXPECT_FALSE(ring_.give_back(*batch_, 16, 14));
}

}  // namespace
}  // namespace vhost::test
