// Taking frames from a transmit ring whose driver breaks the rules, or lies (virtio 1.2, 2.7.5):
// each chain comes back, with its fault; nothing outside guest memory is touched.
#include "ring/transmit_fixture.h"

namespace vhost::test {
namespace {

class TransmitHostileTest : public TransmitTest {
 protected:
  static constexpr FrameFault kMalformed = FrameFault::malformed;
  Descriptor sound(size_t length = 60) { return piece(joined({header(), pattern(length)})); }
};

// --- Entries and indices: the ring itself is unusable.

TEST_OF_SPLIT_RINGS(TransmitHostileTest, ADescriptorThatDoesNotExistStopsTheRing) {
  for (const uint16_t id : std::to_array<uint16_t>({256, 257, 0x7fff, 0xffff})) {
    set_up(256, kModern);
    offer({sound()});
    driver_->offer(id);
    offer({sound()});
    EXPECT_EQ(1u, take()) << "what stands before it is taken";
    EXPECT_FALSE(ring_.running());
    EXPECT_EQ(RingFault::descriptor_id, ring_.fault());
    EXPECT_EQ(1u, taken(ring_));
    ring_.give_back(*batch_, 0, 1);
    EXPECT_EQ(1, driver_->used_index());
  }
}

TEST_OF_SPLIT_RINGS(TransmitHostileTest, AnIndexTooFarAheadStopsTheRing) {
  driver_->advance(257);
  EXPECT_EQ(0u, take());
  EXPECT_FALSE(ring_.running());
  EXPECT_EQ(RingFault::avail_index, ring_.fault());
  EXPECT_EQ(0, driver_->used_index());
}

// --- Chains.

TEST_OF_SPLIT_RINGS(TransmitHostileTest, LoopsEnd) {
  Descriptor self = piece(header(), kDescNext);
  driver_->descriptor(0) = self;  // to itself: next is 0
  driver_->offer(0);
  Descriptor there = piece(header(), kDescNext);
  there.next = 2;
  driver_->descriptor(1) = there;
  there.next = 1;
  driver_->descriptor(2) = there;
  driver_->offer(1);
  EXPECT_EQ(2u, take());
  EXPECT_EQ(kMalformed, batch_->fault[0]);
  EXPECT_EQ(kMalformed, batch_->fault[1]);
}

TEST_OF_SPLIT_RINGS(TransmitHostileTest, LoopsOfEmptyPiecesEndToo) {
  driver_->descriptor(0) = {kBuffers, 0, kDescNext, 0};
  driver_->offer(0);
  EXPECT_EQ(1u, take());
  EXPECT_EQ(kMalformed, batch_->fault[0]);
}

TEST_OF_SPLIT_RINGS(TransmitHostileTest, ANextBeyondTheTable) {
  for (const uint16_t next : std::to_array<uint16_t>({256, 0x8000, 0xffff})) {
    Descriptor link = piece(header(), kDescNext);
    link.next = next;
    EXPECT_EQ(kMalformed, fault_of({link})) << next;
  }
}

TEST_F(TransmitHostileTest, WritableDescriptorsAreNotForTransmission) {
  Descriptor link = sound();
  link.flags = kDescWrite;
  EXPECT_EQ(kMalformed, fault_of({link}));
  link = piece(pattern(60), kDescWrite);
  EXPECT_EQ(kMalformed, fault_of({piece(header()), link}));
  EXPECT_EQ(kMalformed, fault_of({table({piece(header()), link})}));
}

TEST_F(TransmitHostileTest, AddressesThatAreNowhere) {
  for (const uint64_t where :
       {kNowhere, uint64_t{0}, kRing - 1, kEnd - 71, kEnd, ~uint64_t{0}, ~uint64_t{0} - 71}) {
    const Descriptor link = {where, 72, 0, 0};
    EXPECT_EQ(kMalformed, fault_of({link})) << std::hex << where;
    EXPECT_EQ(kMalformed, fault_of({piece(header()), link})) << std::hex << where;
    EXPECT_EQ(kMalformed, fault_of({table({link})})) << std::hex << where;
  }
}

TEST_F(TransmitHostileTest, LengthsBeyondMemory) {
  for (const uint32_t length : {0x10000u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 0xfffffff4u}) {
    EXPECT_NE(FrameFault::none, fault_of({{kEnd - 100, length, 0, 0}})) << length;
    EXPECT_NE(FrameFault::none, fault_of({{kBuffers, length, 0, 0}})) << length;
    EXPECT_NE(FrameFault::none, fault_of({piece(header()), {kBuffers, length, 0, 0}})) << length;
  }
}

// --- Totals.

TEST_F(TransmitHostileTest, TooLongByOneByteAndByMuch) {
  const auto length = static_cast<uint32_t>(kNetHeaderBytes + kMaxFrameBytes + 1);
  EXPECT_EQ(FrameFault::oversize, fault_of({{kBuffers, length, 0, 0}}));
  EXPECT_EQ(FrameFault::oversize, fault_of({piece(header()), {kBuffers, length - 12, 0, 0}}));
  EXPECT_EQ(FrameFault::oversize, fault_of({{kBuffers, 0x50000, 0, 0}}));
}

// Pieces of 4 MiB whose sum is 2^32 and a frame of 60 bytes.
TEST_F(TransmitHostileTest, LengthsThatSumPastThirtyTwoBits) {
  SimulatedMemory large;
  large.add(kRing, 0x800000);
  TestDriver driver(large, kRing, 1024);
  ASSERT_EQ("",
            ring_.attach(driver.areas(), driver.position(), kModern | kFormat, large.table(), -1));
  ring_.set_running(true);
  constexpr uint32_t kPiece = 1u << 22;
  constexpr unsigned kLinks = 1023;
  for (uint16_t i = 0; i < kLinks; ++i) {
    driver.descriptor(i) = {kRing, kPiece, kDescNext, static_cast<uint16_t>(i + 1)};
  }
  driver.descriptor(kLinks) = {kRing, kPiece + 72, 0, 0};
  driver.offer(0);
  EXPECT_EQ(1u, take());
  EXPECT_EQ(FrameFault::oversize, batch_->fault[0]);
}

TEST_F(TransmitHostileTest, ShorterThanTheHeader) {
  for (size_t length = 0; length < kNetHeaderBytes; ++length) {
    EXPECT_EQ(kMalformed, fault_of({piece(Bytes(length))})) << length;
    EXPECT_EQ(kMalformed, fault_of({table({piece(Bytes(length))})})) << length;
  }
  EXPECT_EQ(kMalformed, fault_of({piece(Bytes(5)), piece(Bytes(6))}));
  set_up(256, 0);
  EXPECT_EQ(kMalformed, fault_of({piece(Bytes(9))}));
}

TEST_F(TransmitHostileTest, ShorterThanAnEthernetHeader) {
  for (size_t length = 0; length < kEthernetHeaderBytes; ++length) {
    EXPECT_EQ(FrameFault::runt, fault_of({sound(length)})) << length;
    EXPECT_EQ(FrameFault::runt, fault_of({piece(header()), piece(pattern(length))})) << length;
    EXPECT_EQ(length, batch_->length[0]);
  }
}

// --- Indirect tables.

TEST_F(TransmitHostileTest, TablesOfNoWholeNumberOfDescriptors) {
  Descriptor to = raw_table({sound(), sound()});  // the first one would do
  for (const uint32_t length : {0u, 1u, 8u, 15u, 17u, 24u, 31u, 0xffffffffu}) {
    to.length = length;
    EXPECT_EQ(kMalformed, fault_of({to})) << length;
  }
}

TEST_F(TransmitHostileTest, TablesLongerThanTheRing) {
  set_up(8, kModern);
  std::vector<Descriptor> links(9, piece(Bytes(20)));
  EXPECT_EQ(kMalformed, fault_of({table(links)}));
  links.pop_back();
  EXPECT_EQ(FrameFault::none, fault_of({table(links)}));
  Descriptor huge = table(links);
  huge.length = 0xfffffff0;
  EXPECT_EQ(kMalformed, fault_of({huge}));
}

TEST_F(TransmitHostileTest, IndirectInsideIndirect) {
  EXPECT_EQ(kMalformed, fault_of({table({table({sound()})})}));
  EXPECT_EQ(kMalformed, fault_of({table({piece(header()), table({sound()})})}));
}

TEST_F(TransmitHostileTest, IndirectBesideNext) {
  Descriptor both = table({sound()});
  both.flags |= kDescNext;
  both.next = 1;
  driver_->descriptor(1) = sound();
  EXPECT_EQ(kMalformed, fault_of({both}));
  EXPECT_EQ(kMalformed, fault_of({table({sound()}), sound()}));
}

TEST_F(TransmitHostileTest, IndirectBehindOtherLinks) {
  EXPECT_EQ(kMalformed, fault_of({piece(header()), table({sound()})}));
}

TEST_F(TransmitHostileTest, IndirectThatWasNotNegotiated) {
  set_up(256, kVersion1);
  EXPECT_EQ(kMalformed, fault_of({table({sound()})}));
}

TEST_F(TransmitHostileTest, TablesNowhereOrAcrossRegions) {
  Descriptor to = table({sound()});
  for (const uint64_t where : {kNowhere, kSeam - 8, kEnd - 8, ~uint64_t{0} - 7}) {
    to.address = where;
    EXPECT_EQ(kMalformed, fault_of({to})) << std::hex << where;
  }
}

TEST_OF_SPLIT_RINGS(TransmitHostileTest, ALoopInsideATable) {
  Descriptor link = piece(header(), kDescNext);
  link.next = 0;
  EXPECT_EQ(kMalformed, fault_of({raw_table({link, link})}));
  link.next = 2;
  EXPECT_EQ(kMalformed, fault_of({raw_table({link, link})})) << "beyond the table";
}

TEST_OF_SPLIT_RINGS(TransmitHostileTest, ALinkBehindATableIsNone) {
  Descriptor first = piece(header(), kDescNext);
  first.next = 1;
  Descriptor to = raw_table({first, sound()});
  to.length = sizeof(Descriptor);
  EXPECT_EQ(kMalformed, fault_of({to}));
}

// --- Headers that ask for what is not offered.

TEST_F(TransmitHostileTest, OffloadsThatWereNotNegotiated) {
  for (const uint8_t flags : std::to_array<uint8_t>({1, 3, 0xff})) {
    for (const size_t length : {30u, 60u, 200u}) {
      const Bytes odd = {flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
      EXPECT_EQ(FrameFault::header, fault_of({piece(joined({odd, pattern(length)}))}));
      EXPECT_EQ(FrameFault::header, fault_of({piece(odd), piece(pattern(length))}));
    }
  }
  for (const uint8_t type : std::to_array<uint8_t>({1, 3, 4, 5, 0x80, 0xff})) {
    for (const size_t length : {30u, 60u, 200u}) {
      const Bytes odd = {0, type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
      EXPECT_EQ(FrameFault::header, fault_of({piece(joined({odd, pattern(length)}))}));
      EXPECT_EQ(FrameFault::header, fault_of({piece(odd), piece(pattern(length))}));
    }
  }
}

// --- What was checked is what is delivered.

TEST_F(TransmitHostileTest, TheHeadIsACopyAndLaterChangesDoNotReachIt) {
  for (const size_t length : {14u, 30u, 60u, 100u, 116u, 200u}) {
    const Descriptor whole = sound(length);
    const Descriptor first = piece(header());
    const Descriptor second = piece(pattern(length));
    offer({whole});
    offer({first, second});
    ASSERT_EQ(2u, take());
    for (const Descriptor& link : {whole, first, second}) {
      std::memset(memory_.at(link.address, link.length), 0xff, link.length);
    }
    const auto copied = static_cast<ptrdiff_t>(std::min<size_t>(length, kHeadFrameBytes));
    const Bytes sent = pattern(length);
    for (unsigned slot = 0; slot < 2; ++slot) {
      const uint8_t* head = batch_->head[slot].data() + kNetHeaderBytes;
      EXPECT_EQ(Bytes(sent.begin(), sent.begin() + copied), Bytes(head, head + copied));
      expect_plain_header(slot);
    }
    ring_.give_back(*batch_, 0, 2);
  }
}

TEST_F(TransmitHostileTest, DescriptorsChangedAfterwardsAreNotReadAgain) {
  offer({piece(header()), piece(pattern(300))});
  ASSERT_EQ(1u, take());
  driver_->scramble();
  EXPECT_EQ(pattern(300), frame_of(*batch_, 0));
  ring_.give_back(*batch_, 0, 1);
  EXPECT_EQ(0u, driver_->used(0).id) << "the head that was taken, not what stands there now";
}

// --- A hostile guest costs its worker no more than its share of a turn.

TEST_F(TransmitHostileTest, BurstsEndWhenTheirChainsAreLong) {
  set_up(1024, kModern);
  const Descriptor empty = {kBuffers, 0, 0, 0};
  const Descriptor to = table(std::vector<Descriptor>(1024, empty));
  for (int i = 0; i < 64; ++i) offer({to});
  unsigned taken = 0;
  unsigned turns = 0;
  while (taken < 64) {
    const unsigned now = take();
    ASSERT_GE(now, 1u) << "there is always progress";
    ASSERT_LE(now, 2u) << "2048 links and more in one burst";
    ring_.give_back(*batch_, 0, now);
    taken += now;
    ++turns;
  }
  EXPECT_GE(turns, 32u);
  EXPECT_EQ(64, driver_->used_index());
}

TEST_F(TransmitHostileTest, OrdinaryTrafficIsNotCutShort) {
  for (int i = 0; i < 64; ++i) offer({sound(1518)});
  EXPECT_EQ(64u, take());
  ring_.give_back(*batch_, 0, 64);
  next_buffer_ = kBuffers;
  for (int i = 0; i < 64; ++i) {
    offer({table({piece(header()), piece(pattern(60)), piece(pattern(1448))})});
  }
  EXPECT_EQ(64u, take());
}

}  // namespace
}  // namespace vhost::test
