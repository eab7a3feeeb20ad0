// A transmit ring and what comes out of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "ring/ring_fixture.h"
#include "vhost/transmit.h"

namespace vhost::test {

// The frame as a receiver gets it: head, then tail, without the header.
inline Bytes frame_of(const Batch& batch, unsigned slot) {
  const uint8_t* head = batch.head[slot].data() + kNetHeaderBytes;
  Bytes frame(head, head + std::min(batch.length[slot], kHeadFrameBytes));
  const Tail& tail = batch.tail[slot];
  if (batch.length[slot] <= kHeadFrameBytes) return frame;
  if (tail.segments == 1) {
    frame.insert(frame.end(), tail.data, tail.data + batch.length[slot] - kHeadFrameBytes);
    return frame;
  }
  for (uint32_t i = 0; i < tail.segments; ++i) {
    const Segment& piece = batch.segments[tail.first + i];
    frame.insert(frame.end(), piece.data, piece.data + piece.length);
  }
  return frame;
}

class TransmitTest : public RingTest {
 protected:
  TransmitTest() { set_up(256, kModern); }

  void set_up(uint16_t size, uint64_t features, uint16_t index = 0) {
    RingTest::set_up(ring_, size, features, index);
  }

  unsigned take(unsigned limit = TransmitRing::kBurst) {
    batch_->clear();
    return ring_.take(*batch_, limit);
  }
  // What becomes of this one chain.
  FrameFault fault_of(const std::vector<Descriptor>& links) {
    offer(links);
    EXPECT_EQ(1u, take());
    EXPECT_TRUE(ring_.running());
    ring_.give_back(*batch_, 0, 1);
    EXPECT_EQ(driver_->avail_index(), driver_->used_index()) << "it must come back";
    return batch_->fault[0];
  }
  void expect_frame(const Bytes& frame, const std::vector<Descriptor>& links) {
    ASSERT_EQ(FrameFault::none, fault_of(links));
    ASSERT_EQ(frame.size(), batch_->length[0]);
    EXPECT_EQ(frame, frame_of(*batch_, 0));
    expect_plain_header(0);
  }
  // Whatever the sender's form, the head has the header of a receiver.
  void expect_plain_header(unsigned slot) {
    const Bytes expected = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    const uint8_t* head = batch_->head[slot].data();
    EXPECT_EQ(expected, Bytes(head, head + kNetHeaderBytes));
  }

  static Bytes header(size_t length = kNetHeaderBytes) { return Bytes(length); }

  TransmitRing ring_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
};

}  // namespace vhost::test
