// A guest without a guest: memory regions and the driver's side of a split ring, for tests that
// need every shape a driver may build and every one it must not.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "vhost/guest_memory.h"
#include "vhost/ring.h"
#include "vhost/virtio.h"

namespace vhost::test {

using Bytes = std::vector<uint8_t>;

// Host memory of exactly `size` bytes: the byte behind it cannot be touched, nor the page before.
class Pages {
 public:
  explicit Pages(size_t size)
      : size_(size), total_((size + 2 * kPage - 1) / kPage * kPage + kPage) {
    void* mapped = ::mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    start_ = static_cast<uint8_t*>(mapped);
    ::mprotect(start_ + kPage, total_ - 2 * kPage, PROT_READ | PROT_WRITE);
  }
  ~Pages() { ::munmap(start_, total_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  uint8_t* data() const { return start_ + total_ - kPage - size_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kPage = 4096;
  size_t size_;
  size_t total_;
  uint8_t* start_ = nullptr;
};

class SimulatedMemory {
 public:
  // Regions that are adjacent for the guest are apart here. Size: a multiple of 16.
  void add(uint64_t guest, size_t size) {
    pages_.push_back(std::make_unique<Pages>(size));
    table_.add({guest, size, pages_.back()->data()});
  }
  const GuestMemory& table() const { return table_; }
  void set_log(const DirtyLog* log) { table_.set_log(log); }

  uint8_t* at(uint64_t guest, uint32_t length = 1) const {
    RegionCache cache;
    cache.reset(&table_);
    uint8_t* found = cache.translate(guest, length);
    EXPECT_NE(nullptr, found) << "the test's own address " << std::hex << guest;
    return found;
  }
  // These may cross into an adjacent region.
  void put(uint64_t guest, std::span<const uint8_t> bytes) const {
    each_part(guest, bytes.size(), [&](uint8_t* part, size_t done, size_t length) {
      std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(done), length, part);
    });
  }
  void fill(uint64_t guest, size_t length, uint8_t value) const {
    each_part(guest, length,
              [=](uint8_t* part, size_t, size_t bytes) { std::fill_n(part, bytes, value); });
  }
  Bytes get(uint64_t guest, size_t length) const {
    Bytes bytes(length);
    each_part(guest, length, [&](const uint8_t* part, size_t done, size_t some) {
      std::copy_n(part, some, bytes.begin() + static_cast<ptrdiff_t>(done));
    });
    return bytes;
  }

 private:
  template <typename Action>
  void each_part(uint64_t guest, size_t length, Action action) const {
    RegionCache cache;
    cache.reset(&table_);
    for (size_t done = 0; done < length;) {
      uint64_t available = 0;
      uint8_t* part = cache.translate_some(guest + done, available);
      ASSERT_NE(nullptr, part) << "the test's own address " << std::hex << guest + done;
      const size_t some = std::min<size_t>(available, length - done);
      action(part, done, some);
      done += some;
    }
  }

  std::vector<std::unique_ptr<Pages>> pages_;
  GuestMemory table_;
};

// The driver's side of one ring.
class DriverRing {
 public:
  // Takes 12 * `size` to 26 * `size` bytes and a little from `guest` on, which is aligned to 16.
  DriverRing(const SimulatedMemory& memory, uint64_t guest, uint16_t size) : size_(size) {
    descriptors_ = reinterpret_cast<Descriptor*>(memory.at(guest, 16u * size));
    guest += 16u * size;
    avail_ = reinterpret_cast<AvailRing*>(memory.at(guest, 6 + 2u * size));
    guest += (6 + 2u * size + 3) / 4 * 4;
    used_ = reinterpret_cast<UsedRing*>(memory.at(guest, 6 + 8u * size));
    set_event(0);
  }

  RingAreas areas() const { return {descriptors_, avail_, used_, size_}; }
  uint16_t size() const { return size_; }

  // Both indices where a ring that was in use for a while has them.
  void start_at(uint16_t index) {
    avail_->index = index;
    used_->index = index;
  }

  Descriptor& descriptor(uint16_t id) const { return descriptors_[id]; }
  void offer(uint16_t head) {
    entry(avail_->index) = head;
    advance(1);
  }
  uint16_t& entry(uint16_t position) const {
    return reinterpret_cast<uint16_t*>(avail_ + 1)[position % size_];
  }
  void advance(uint16_t by) {
    __atomic_store_n(&avail_->index, static_cast<uint16_t>(avail_->index + by), __ATOMIC_RELEASE);
  }
  uint16_t avail_index() const { return avail_->index; }
  RingPosition position() const { return {avail_->index, used_->index}; }
  // Everything the driver wrote becomes nonsense.
  void scramble() {
    std::fill_n(descriptors_, size_, Descriptor{0x5000'0000, 0xffffffff, 7, 0xffff});
    for (uint16_t i = 0; i < size_; ++i) entry(i) = 0xffff;
  }

  uint16_t used_index() const { return __atomic_load_n(&used_->index, __ATOMIC_ACQUIRE); }
  UsedElement used(uint16_t position) const {
    return reinterpret_cast<UsedElement*>(used_ + 1)[position % size_];
  }

  // Interrupts: the driver's flags, and the used index it wants one behind.
  void set_flags(uint16_t flags) { __atomic_store_n(&avail_->flags, flags, __ATOMIC_SEQ_CST); }
  void set_event(uint16_t index) {
    __atomic_store_n(reinterpret_cast<uint16_t*>(avail_ + 1) + size_, index, __ATOMIC_SEQ_CST);
  }
  // Kicks: the device's flags, and the available index it wants one behind.
  uint16_t device_flags() const { return __atomic_load_n(&used_->flags, __ATOMIC_SEQ_CST); }
  uint16_t device_event() const { return __atomic_load_n(device_event_place(), __ATOMIC_SEQ_CST); }
  void set_device_event(uint16_t index) {
    __atomic_store_n(device_event_place(), index, __ATOMIC_SEQ_CST);
  }

 private:
  uint16_t* device_event_place() const {
    return reinterpret_cast<uint16_t*>(reinterpret_cast<UsedElement*>(used_ + 1) + size_);
  }

  uint16_t size_;
  Descriptor* descriptors_;
  AvailRing* avail_;
  UsedRing* used_;
};

// Bytes that tell where they belong: no two neighbours alike, and another row for each seed.
inline Bytes pattern(size_t length, unsigned seed = 1) {
  Bytes bytes(length);
  uint32_t state = seed * 2654435761u + 12345;
  for (uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace vhost::test
