// A driver that builds what the test says, in memory of two adjacent regions.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "ring/packed_driver.h"
#include "ring/simulated_guest.h"

namespace vhost::test {

// These tests are built once for each format of rings.
#ifdef TEST_PACKED_RINGS
inline constexpr bool kPacked = true;
using TestDriver = PackedDriver;
// A test of what packed rings do not have: compiled, and none of theirs.
#define TEST_OF_SPLIT_RINGS(fixture, name)  \
  class fixture##_##name : public fixture { \
    void TestBody() override;               \
  };                                        \
  [[maybe_unused]] void fixture##_##name::TestBody()
#else
inline constexpr bool kPacked = false;
using TestDriver = DriverRing;
#define TEST_OF_SPLIT_RINGS(fixture, name) TEST_F(fixture, name)
#endif
inline constexpr uint64_t kFormat = kPacked ? feature::bit(feature::kRingPacked) : 0;

class RingTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kIndirect = feature::bit(feature::kRingIndirectDesc);
  static constexpr uint64_t kEventIdx = feature::bit(feature::kRingEventIdx);
  static constexpr uint64_t kVersion1 = feature::bit(feature::kVersion1);
  static constexpr uint64_t kModern = kVersion1 | kIndirect;
  static constexpr uint64_t kRing = 0x10000;
  static constexpr uint64_t kBuffers = 0x20000;
  static constexpr uint64_t kSeam = 0x80000;  // where the second region begins
  static constexpr uint64_t kEnd = 0x90000;
  static constexpr uint64_t kNowhere = 0x5000'0000;

  RingTest() {
    memory_.add(kRing, kSeam - kRing);
    memory_.add(kSeam, kEnd - kSeam);
  }

  // Attaches to a new ring and lets it run.
  void set_up(Ring& ring, uint16_t size, uint64_t features, uint16_t index) {
    driver_ = std::make_unique<TestDriver>(memory_, kRing, size);
    driver_->start_at(index);
    ASSERT_EQ("", ring.attach(driver_->areas(), driver_->position(), features | kFormat,
                              memory_.table(), -1));
    ring.set_running(true);
    next_id_ = 0;
    next_buffer_ = kBuffers;
  }

  // Puts bytes somewhere of their own; where.
  uint64_t place(const Bytes& bytes) {
    const uint64_t where = next_buffer_;
    next_buffer_ += (bytes.size() + 63) / 64 * 64;
    EXPECT_LE(next_buffer_, kSeam) << "the test needs more memory";
    memory_.put(where, bytes);
    return where;
  }
  Descriptor piece(const Bytes& bytes, uint16_t flags = 0) {
    return {place(bytes), static_cast<uint32_t>(bytes.size()), flags, 0};
  }

  // How many descriptors of the ring we have passed since it was new, on its first lap.
  static unsigned taken(const Ring& ring) { return ring.position().next_avail & (kWrapBit - 1u); }

  // Descriptors of the ring itself, linked in this order; the first one's number.
  uint16_t chain(std::vector<Descriptor> links) {
    const uint16_t head = next_id_;
    for (size_t i = 0; i < links.size(); ++i) {
      const bool last = i + 1 == links.size();
      const uint16_t id = next_id_++ % driver_->size();
      if (!last) links[i].flags |= kDescNext;
      if (!last) links[i].next = next_id_ % driver_->size();
      driver_->descriptor(id) = links[i];
    }
    return head % driver_->size();
  }
  // A table of them in a buffer; the descriptor that leads there.
  Descriptor table(std::vector<Descriptor> links) {
    for (size_t i = 0; i + 1 < links.size(); ++i) {
      if (kPacked) continue;  // every entry belongs to it
      links[i].flags |= kDescNext;
      links[i].next = static_cast<uint16_t>(i + 1);
    }
    return raw_table(links);
  }
  Descriptor raw_table(std::vector<Descriptor> links) {
    for (Descriptor& link : links) {
      if (kPacked) std::swap(link.flags, link.next);  // id, then flags
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(links.data());
    return piece(Bytes(bytes, bytes + links.size() * sizeof(Descriptor)), kDescIndirect);
  }
  uint16_t offer(const std::vector<Descriptor>& links) {
    const uint16_t head = chain(links);
    driver_->offer(head);
    return head;
  }

  SimulatedMemory memory_;
  std::unique_ptr<TestDriver> driver_;
  uint16_t next_id_ = 0;
  uint64_t next_buffer_ = kBuffers;
};

}  // namespace vhost::test
