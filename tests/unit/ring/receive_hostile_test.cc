// Delivering into a ring whose driver breaks the rules, or lies: it loses what was for it, the
// buffers come back empty, and nothing outside guest memory is touched.
#include "ring/receive_fixture.h"

namespace vhost::test {
namespace {

class ReceiveHostileTest : public ReceiveTest {
 protected:
  // A chain that must be refused, then one that must still work.
  void expect_malformed(const std::vector<Descriptor>& links) {
    const uint16_t before = driver_->used_index();
    const uint16_t head = offer(links);
    offer_buffers(1, 128);
    const Delivery result = deliver({frame(60), frame(61)});
    EXPECT_EQ(1u, result.malformed);
    EXPECT_EQ(1u, result.delivered);
    ASSERT_EQ(static_cast<uint16_t>(before + 2), driver_->used_index());
    EXPECT_EQ(head, driver_->used(before).id);
    EXPECT_EQ(0u, driver_->used(before).length);
    EXPECT_EQ(73u, driver_->used(static_cast<uint16_t>(before + 1)).length);
    if (batch_->count > 200) batch_->clear();
  }
};

// --- Entries and indices: the ring itself is unusable.

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, ADescriptorThatDoesNotExistStopsTheRing) {
  for (const uint16_t id : std::to_array<uint16_t>({256, 0x7fff, 0xffff})) {
    set_up(256, kModern);
    offer_buffers(1);
    driver_->offer(id);
    offer_buffers(1);
    const Delivery result = deliver({frame(60), frame(60), frame(60)});
    EXPECT_EQ(1u, result.delivered);
    EXPECT_EQ(2u, result.no_buffer);
    EXPECT_EQ(RingFault::descriptor_id, ring_.fault());
    EXPECT_EQ(1u, deliver({0}).no_guest);
  }
}

// What stands behind the table looks like a good descriptor, and is none.
TEST_OF_SPLIT_RINGS(ReceiveHostileTest, TheFirstDescriptorBehindTheTableIsNone) {
  for (const uint64_t features : {kModern, kMergeable}) {
    set_up(16, features);
    RingAreas areas = driver_->areas();
    auto* table = reinterpret_cast<Descriptor*>(memory_.at(kBuffers, 17 * 16));
    next_buffer_ = kBuffers + 4096;
    for (int i = 0; i < 17; ++i) table[i] = buffer(50);
    table[16] = buffer(2000);
    areas.descriptors = table;
    ring_.set_running(false);
    ASSERT_EQ("", ring_.attach(areas, {}, features, memory_.table(), -1));
    ring_.set_running(true);
    driver_->offer(16);
    EXPECT_EQ(1u, deliver({frame(60)}).no_buffer);
    EXPECT_EQ(RingFault::descriptor_id, ring_.fault());

    set_up(16, features);
    driver_->offer(0);
    driver_->descriptor(0) = buffer(50);
    driver_->offer(16);
    deliver({frame(60), frame(1000)});
    EXPECT_NE(RingFault::none, ring_.fault());
  }
}

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, ALinkBehindATableIsNone) {
  Descriptor first = buffer(12);
  first.flags |= kDescNext;
  first.next = 1;
  Descriptor to = raw_table({first, buffer(200)});
  to.length = sizeof(Descriptor);
  expect_malformed({to});
}

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, ADescriptorThatDoesNotExistAmongMergedBuffers) {
  set_up(256, kMergeable);
  offer_buffers(1, 100);
  driver_->offer(300);
  const Delivery result = deliver({frame(500), frame(60)});
  EXPECT_EQ(2u, result.no_buffer);
  EXPECT_EQ(RingFault::descriptor_id, ring_.fault());
  EXPECT_EQ(0, driver_->used_index());
}

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, AnIndexTooFarAheadStopsTheRing) {
  driver_->advance(257);
  const Delivery result = deliver({frame(60)});
  EXPECT_EQ(1u, result.no_buffer);
  EXPECT_EQ(RingFault::avail_index, ring_.fault());
  EXPECT_FALSE(result.interrupt);
  EXPECT_EQ(1u, deliver({0}).no_guest);
}

// --- Chains.

TEST_F(ReceiveHostileTest, ReadableBuffersAreNotForReceiving) {
  expect_malformed({piece(Bytes(100))});
  expect_malformed({buffer(12), piece(Bytes(100))});
  expect_malformed({piece(Bytes(12)), buffer(100)});
  expect_malformed({table({buffer(12), piece(Bytes(100))})});
}

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, LoopsEnd) {
  Descriptor self = buffer(12);
  self.flags |= kDescNext;
  self.next = 0;
  next_id_ = 0;
  expect_malformed({self});
  Descriptor empty = {kBuffers, 0, kDescNext | kDescWrite, next_id_};
  expect_malformed({empty});
  expect_malformed({raw_table({self, self})});
}

TEST_OF_SPLIT_RINGS(ReceiveHostileTest, ANextBeyondTheTable) {
  Descriptor link = buffer(12);
  link.flags |= kDescNext;
  for (const uint16_t next : std::to_array<uint16_t>({256, 0xffff})) {
    link.next = next;
    expect_malformed({link});
    expect_malformed({raw_table({link})});
  }
}

TEST_F(ReceiveHostileTest, AddressesThatAreNowhere) {
  for (const uint64_t where :
       {kNowhere, uint64_t{0}, kRing - 1, kEnd - 50, kEnd, ~uint64_t{0}, ~uint64_t{0} - 100}) {
    const Descriptor link = {where, 100, kDescWrite, 0};
    expect_malformed({link});
    expect_malformed({buffer(12), link});
    expect_malformed({table({link})});
  }
}

TEST_F(ReceiveHostileTest, BuffersOfNoLengthAtAll) {
  expect_malformed({buffer(0)});
  expect_malformed({buffer(0), buffer(0)});
  expect_malformed({table({buffer(0)})});
}

TEST_F(ReceiveHostileTest, NothingIsWrittenIntoARefusedChain) {
  const Descriptor good = buffer(300);
  expect_malformed({good, piece(Bytes(10))});
  EXPECT_EQ(Bytes(300, kUntouched), memory_.get(good.address, 300));
}

// --- Indirect tables.

TEST_F(ReceiveHostileTest, TablesOfNoWholeNumberOfDescriptors) {
  Descriptor to = raw_table({buffer(100), buffer(100)});  // the first one would do
  for (const uint32_t length : {0u, 1u, 15u, 17u, 31u, 0xffffffffu}) {
    to.length = length;
    expect_malformed({to});
  }
}

TEST_F(ReceiveHostileTest, TablesLongerThanTheRing) {
  set_up(8, kModern);
  expect_malformed({table(std::vector<Descriptor>(9, buffer(20)))});
  Descriptor huge = table({buffer(100)});
  huge.length = 0xfffffff0;
  expect_malformed({huge});
}

TEST_F(ReceiveHostileTest, IndirectWhereItMustNotBe) {
  Descriptor inner = table({buffer(100)});
  expect_malformed({table({inner})});
  inner.flags |= kDescWrite;
  expect_malformed({table({inner})});
  expect_malformed({buffer(12), inner});
  Descriptor both = table({buffer(100)});
  both.flags |= kDescNext;
  both.next = 250;
  driver_->descriptor(250) = buffer(100);
  expect_malformed({both});
  set_up(256, kVersion1);
  expect_malformed({table({buffer(100)})});
}

TEST_F(ReceiveHostileTest, TablesNowhereOrAcrossRegions) {
  Descriptor to = table({buffer(100)});
  for (const uint64_t where : {kNowhere, kSeam - 8, kEnd - 8, ~uint64_t{0} - 7}) {
    to.address = where;
    expect_malformed({to});
  }
}

// --- Merged buffers.

TEST_F(ReceiveHostileTest, AllBuffersOfARefusedFrameComeBackEmpty) {
  set_up(256, kMergeable);
  offer({buffer(100)});
  offer({buffer(100)});
  offer({piece(Bytes(100))});
  offer({buffer(2000)});
  const Delivery result = deliver({frame(1000), frame(1000)});
  EXPECT_EQ(1u, result.malformed);
  EXPECT_EQ(1u, result.delivered);
  ASSERT_EQ(4, driver_->used_index());
  for (uint16_t i = 0; i < 3; ++i) EXPECT_EQ(0u, driver_->used(i).length);
  EXPECT_EQ(1012u, driver_->used(3).length);
}

// --- A hostile guest costs a worker no more than its share of a turn.

// Tables of a thousand empty pieces, as many as the ring holds: one frame must not walk them all.
TEST_F(ReceiveHostileTest, EmptyChainsAreReturnedOneByOne) {
  set_up(1024, kMergeable);
  const Descriptor to = table(std::vector<Descriptor>(1024, buffer(0)));
  for (int i = 0; i < 1024; ++i) offer({to});
  EXPECT_EQ(1u, deliver({frame(60)}).malformed);
  EXPECT_EQ(1, driver_->used_index());
}

// Each frame sees a thousand links and finds too little room: after a few, nobody looks again.
TEST_F(ReceiveHostileTest, AListEndsWhenItsChainsAreLong) {
  set_up(1024, kMergeable);
  for (uint16_t i = 0; i < 1024; ++i) offer({{kBuffers, 1, kDescWrite, 0}});
  frame(1518);
  const std::vector<uint16_t> slots(256, 0);
  const Delivery result = deliver(slots);
  EXPECT_EQ(256u, result.no_buffer);
  EXPECT_EQ(0, driver_->used_index());
  EXPECT_TRUE(ring_.running());
}

// Beyond the budget even what would fit is not looked at; the next list finds it.
TEST_F(ReceiveHostileTest, WhatIsLeftBehindLongChainsIsForTheNextList) {
  set_up(1024, kModern);
  std::vector<Descriptor> links(1000, buffer(0));
  links.push_back(buffer(200));
  const Descriptor to = table(links);
  for (int i = 0; i < 16; ++i) offer({to});
  frame(60);
  const std::vector<uint16_t> slots(16, 0);
  const Delivery result = deliver(slots);
  EXPECT_EQ(9u, result.delivered) << "8192 links, and what the last chain has beyond them";
  EXPECT_EQ(7u, result.no_buffer);
  EXPECT_EQ(7u, deliver(slots).delivered);
  EXPECT_EQ(16, driver_->used_index());
}

TEST_F(ReceiveHostileTest, OrdinaryChainsAreNotCutShort) {
  set_up(1024, kModern);
  for (int i = 0; i < 200; ++i) {
    offer({table({buffer(12), buffer(100), buffer(100), buffer(100), buffer(100)})});
  }
  frame(400);
  EXPECT_EQ(200u, deliver(std::vector<uint16_t>(200, 0)).delivered);
}

}  // namespace
}  // namespace vhost::test
