// A receive ring, and frames to put into it.
#pragma once

#include <gmock/gmock.h>

#include <deque>
#include <memory>
#include <numeric>
#include <vector>

#include "ring/ring_fixture.h"
#include "vhost/receive.h"

namespace vhost::test {

class ReceiveTest : public RingTest {
 protected:
  static constexpr uint64_t kMergeable = feature::bit(feature::kNetMergeableRxBuf) | kModern;
  static constexpr uint8_t kUntouched = 0xee;

  ReceiveTest() { set_up(256, kModern); }

  void set_up(uint16_t size, uint64_t features, uint16_t index = 0) {
    RingTest::set_up(ring_, size, features, index);
    header_bytes_ = (features & kMergeable & ~kIndirect) != 0 ? 12 : 10;
  }

  // A frame of the batch as take() leaves it; its number. The tail is cut into pieces of
  // `segment` bytes, or not.
  uint16_t frame(size_t length, unsigned seed = 1, size_t segment = 0) {
    const unsigned slot = batch_->count++;
    sent_.push_back(pattern(length, seed));
    const Bytes& bytes = sent_.back();
    constexpr NetHeader kPlain{0, 0, 0, 0, 0, 0, 1};
    std::memcpy(batch_->head[slot].data(), &kPlain, sizeof(kPlain));
    const size_t in_head = std::min<size_t>(length, kHeadFrameBytes);
    std::copy_n(bytes.begin(), in_head, batch_->head[slot].begin() + kNetHeaderBytes);
    batch_->length[slot] = static_cast<uint32_t>(length);
    batch_->fault[slot] = FrameFault::none;
    batch_->tail[slot] = tail(bytes.data() + in_head, length - in_head, segment);
    tallies_.push_back(1u << slot % 20);
    return static_cast<uint16_t>(slot);
  }

  // A buffer of its own for the guest; its bytes before anything arrives are kUntouched.
  Descriptor buffer(size_t length) { return piece(Bytes(length, kUntouched), kDescWrite); }
  // A buffer of a whole frame.
  void offer_buffers(unsigned count, size_t length = 2048) {
    for (unsigned i = 0; i < count; ++i) offer({buffer(length)});
  }

  // Everything in the batch that was not delivered before, in order.
  Delivery deliver() {
    std::vector<uint16_t> slots(batch_->count - first_);
    std::iota(slots.begin(), slots.end(), static_cast<uint16_t>(first_));
    first_ = batch_->count;
    return deliver(slots);
  }
  Delivery deliver(const std::vector<uint16_t>& slots) {
    const Delivery result = ring_.deliver(*batch_, slots, tallies_.data());
    const uint32_t sum = result.delivered + result.no_guest + result.no_buffer + result.too_small +
                         result.malformed + result.oversize;
    EXPECT_EQ(result.attempted, sum) << "each frame has one fate";
    return result;
  }

  // What the driver finds in the pieces of one buffer, from its first byte on.
  Bytes read(const std::vector<Descriptor>& pieces, size_t length) const {
    Bytes bytes;
    for (const Descriptor& part : pieces) {
      const size_t some = std::min<size_t>(length - bytes.size(), part.length);
      const Bytes found = memory_.get(part.address, some);
      bytes.insert(bytes.end(), found.begin(), found.end());
    }
    return bytes;
  }
  // As it arrives: header, then the frame.
  Bytes arriving(uint16_t slot, uint8_t buffers = 1) const {
    Bytes header(header_bytes_);
    if (header_bytes_ > 10) header[10] = buffers;
    return joined({header, sent_[slot]});
  }
  // One frame into one chain: delivered byte for byte, and not a byte beside it.
  void expect_delivered(size_t length, const std::vector<Descriptor>& pieces, bool in_table = false,
                        size_t segment = 0) {
    for (const Descriptor& part : pieces) memory_.fill(part.address, part.length, kUntouched);
    offer(in_table ? std::vector<Descriptor>{table(pieces)} : pieces);
    const uint16_t before = driver_->used_index();
    const uint16_t slot = frame(length, static_cast<unsigned>(length), segment);
    const Delivery result = deliver();
    ASSERT_EQ(1u, result.delivered) << length;
    ASSERT_EQ(length, result.bytes);
    ASSERT_EQ(static_cast<uint16_t>(before + 1), driver_->used_index());
    const Bytes expected = arriving(slot);
    ASSERT_EQ(expected.size(), driver_->used(before).length);
    size_t capacity = 0;
    for (const Descriptor& part : pieces) capacity += part.length;
    Bytes all = expected;
    all.resize(capacity, kUntouched);
    ASSERT_EQ(all, read(pieces, capacity)) << length;
  }

  ReceiveRing ring_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  std::deque<Bytes> sent_;
  std::vector<uint32_t> tallies_;
  unsigned first_ = 0;
  size_t header_bytes_ = 12;

 private:
  Tail tail(const uint8_t* from, size_t length, size_t segment) {
    if (length == 0) return {};
    if (segment == 0) return {from, 0, 1};
    Tail made{nullptr, batch_->segments_used, 0};
    for (size_t at = 0; at < length; at += segment) {
      const auto part = static_cast<uint32_t>(std::min(segment, length - at));
      batch_->segments[batch_->segments_used++] = {from + at, part};
      ++made.segments;
    }
    if (made.segments == 1) made.data = from;
    return made;
  }
};

}  // namespace vhost::test
