// Transmit and receive queues against the model device: every shape arrives byte for byte, and a
// device that breaks the rules is found out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "frontend/error.h"
#include "frontend/frame.h"
#include "frontend/receive_queue.h"
#include "frontend/transmit_queue.h"
#include "model_device.h"

namespace frontend {
namespace {

std::vector<uint8_t> test_frame(std::size_t size) {
  return make_frame({guest_mac(1, 0), guest_mac(0, 0), 0, 1, size}, size);
}

class TransmitQueueTest : public testing::Test {
 protected:
  GuestMemory memory_{MemoryOptions{}};
  Ring ring_{memory_, 16};
  ModelDevice device_{memory_, ring_};
  TransmitQueue queue_{ring_, memory_, {}};

  void expect_arrives(const ChainShape& shape, std::size_t links) {
    const std::vector<uint8_t> frame = test_frame(200);
    ASSERT_TRUE(queue_.send(frame, shape));
    queue_.publish();
    const auto chain = device_.take();
    ASSERT_TRUE(chain);
    EXPECT_EQ(chain->links.size(), links);
    std::vector<uint8_t> bytes = device_.read(*chain);
    bytes.erase(bytes.begin(), bytes.begin() + kLongHeader);
    EXPECT_EQ(bytes, frame);
    device_.use(chain->head, 0);
    EXPECT_EQ(queue_.reclaim(), 1u);
  }
};

TEST_F(TransmitQueueTest, EveryShapeArrives) {
  for (int lap = 0; lap < 20; ++lap) {
    expect_arrives(ChainShape::single(), 1);
    expect_arrives(ChainShape::header_alone(kLongHeader), 2);
    expect_arrives(ChainShape::split({5, 7, 1, 13, 100}), 6);
    expect_arrives(ChainShape::indirect_table({kLongHeader, 60}), 3);
    expect_arrives(ChainShape::indirect_table({}), 1);
  }
}

TEST_F(TransmitQueueTest, IsFullWhenDescriptorsAreGoneAndNotBefore) {
  const auto frame = test_frame(60);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(queue_.send(frame, ChainShape::split({12, 20})));
  EXPECT_FALSE(queue_.send(frame, ChainShape::split({12, 20})));
  EXPECT_TRUE(queue_.send(frame));
  EXPECT_FALSE(queue_.send(frame));
  EXPECT_EQ(queue_.in_flight(), 6u);
}

TEST_F(TransmitQueueTest, TakesChainsBackInAnyOrder) {
  for (int i = 0; i < 4; ++i) queue_.send(test_frame(60), ChainShape::split({12, 20}));
  queue_.publish();
  std::vector<uint16_t> heads;
  while (const auto chain = device_.take()) heads.push_back(chain->head);
  for (const int i : {2, 0, 3, 1}) device_.use(heads[static_cast<std::size_t>(i)], 0);
  EXPECT_EQ(queue_.reclaim(), 4u);
  EXPECT_EQ(queue_.in_flight(), 0u);
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(queue_.send(test_frame(60)));
}

TEST_F(TransmitQueueTest, UnderstandsOneUsedEntryForABatchInOrder) {
  ring_.in_order(true);
  for (int lap = 0; lap < 10; ++lap) {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(queue_.send(test_frame(60)));
    queue_.publish();
    uint16_t last = 0;
    while (const auto chain = device_.take()) last = chain->head;
    device_.use_batch(last, 0, 5);
    EXPECT_EQ(queue_.reclaim(), 5u);
  }
}

TEST_F(TransmitQueueTest, NamesAnIdThatWasNotSent) {
  queue_.send(test_frame(60));
  queue_.publish();
  device_.use(9, 0);
  EXPECT_THROW(queue_.reclaim(), Error);
}

class ReceiveQueueTest : public testing::Test {
 protected:
  GuestMemory memory_{MemoryOptions{}};
  Ring ring_{memory_, 16};
  ModelDevice device_{memory_, ring_};

  static ReceiveOptions options(std::vector<uint32_t> links, bool indirect = false) {
    ReceiveOptions options;
    options.links = std::move(links);
    options.indirect = indirect;
    return options;
  }
  void expect_receives(const ReceiveOptions& wanted, std::size_t size) {
    ReceiveQueue queue(ring_, memory_, wanted);
    const uint64_t capacity =
        std::accumulate(wanted.links.begin(), wanted.links.end(), uint64_t{0});
    const std::vector<uint8_t> frame = test_frame(size);
    NetHeader header;
    header.num_buffers = static_cast<uint16_t>((size + kLongHeader + capacity - 1) / capacity);
    for (int i = 0; i < 40; ++i) {
      queue.fill();
      ASSERT_TRUE(device_.deliver(header, kLongHeader, frame));
      const auto received = queue.receive();
      ASSERT_TRUE(received);
      EXPECT_EQ(received->bytes, frame);
      EXPECT_EQ(received->header, header);
      EXPECT_FALSE(queue.receive());
    }
  }
};

TEST_F(ReceiveQueueTest, SingleBuffers) {
  expect_receives(options({2048}), 1500);
}
TEST_F(ReceiveQueueTest, MergedOverManyBuffers) {
  expect_receives(options({200}), 1500);
}
TEST_F(ReceiveQueueTest, HeaderAlone) {
  expect_receives(options({12, 1600}), 1500);
}
TEST_F(ReceiveQueueTest, OddLinks) {
  expect_receives(options({7, 9, 1, 300}), 1000);
}
TEST_F(ReceiveQueueTest, IndirectBuffers) {
  expect_receives(options({12, 64, 512}, true), 1500);
}

TEST_F(ReceiveQueueTest, MissingBuffersOfAFrameAreAnError) {
  ReceiveQueue queue(ring_, memory_, options({2048}));
  queue.fill();
  NetHeader header;
  header.num_buffers = 2;
  device_.deliver(header, kLongHeader, test_frame(60));
  EXPECT_THROW(queue.receive(), Error);
}

TEST_F(ReceiveQueueTest, WritingPastABufferIsAnError) {
  ReceiveQueue queue(ring_, memory_, options({100}));
  queue.fill();
  const auto chain = device_.take();
  uint8_t* start = memory_.host(chain->links[0].address);
  const NetHeader header{0, 0, 0, 0, 0, 0, 1};
  std::memcpy(start, &header, sizeof(header));
  start[100] = 1;
  device_.use(chain->head, 72);
  EXPECT_THROW(queue.receive(), Error);
}

TEST_F(ReceiveQueueTest, UsedLengthAboveTheBufferIsAnError) {
  ReceiveQueue queue(ring_, memory_, options({100}));
  queue.fill();
  device_.use(device_.take()->head, 101);
  EXPECT_THROW(queue.receive(), Error);
}

TEST_F(ReceiveQueueTest, IdThatWasNotPostedIsAnError) {
  auto two = options({100});
  two.buffers = 2;
  ReceiveQueue queue(ring_, memory_, two);
  EXPECT_EQ(queue.fill(), 2u);
  device_.use(2, 72);
  EXPECT_THROW(queue.receive(), Error);
}

TEST(Frame, IntactNoticesASingleByte) {
  std::vector<uint8_t> frame = test_frame(300);
  EXPECT_TRUE(intact(frame));
  for (const std::size_t position : {14u, 16u, 24u, 32u, 299u}) {
    std::vector<uint8_t> damaged = frame;
    damaged[position] ^= 1;
    EXPECT_FALSE(intact(damaged)) << position;
  }
}

TEST(Frame, HeadKnowsItsReceiver) {
  const FrameHead sent{guest_mac(300, 4000), guest_mac(7, 9), 7, 300, 1ull << 40};
  const auto frame = make_frame(sent, 60);
  FrameHead head;
  EXPECT_EQ(read_head(frame.data(), 300, head), Verdict::good);
  EXPECT_EQ(head, sent);
  EXPECT_EQ(read_head(frame.data(), 301, head), Verdict::wrong_guest);
  const std::vector<uint8_t> expected = {2, 0, 1, 44, 15, 160, 2, 0, 0, 7, 0, 9, 0x88, 0xb5};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), frame.begin()));
}

}  // namespace
}  // namespace frontend
