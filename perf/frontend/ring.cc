#include "frontend/ring.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "frontend/error.h"

namespace frontend {
namespace {

FileDescriptor event_descriptor() {
  FileDescriptor fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) throw Error(std::string("eventfd: ") + std::strerror(errno));
  return fd;
}

}  // namespace

Ring::Ring(GuestMemory& memory, uint16_t size, bool packed)
    : memory_(&memory),
      size_(size),
      packed_(packed),
      kick_(event_descriptor()),
      call_(event_descriptor()),
      error_(event_descriptor()) {
  if (!std::has_single_bit(size)) throw Error("a ring's size is a power of two");
  if (packed) {
    make_packed(memory);
  } else {
    make_split(memory);
  }
  want_interrupt(false);
}

// Each area on lines of its own: the two sides write different ones.
void Ring::make_split(GuestMemory& memory) {
  descriptors_ = reinterpret_cast<Descriptor*>(memory.allocate(sizeof(Descriptor) * size_, 4096));
  available_ = reinterpret_cast<uint16_t*>(memory.allocate(6u + 2u * size_, 64));
  used_ = reinterpret_cast<uint16_t*>(memory.allocate(6u + sizeof(UsedElement) * size_, 4096));
  auto* used_ring = reinterpret_cast<UsedElement*>(used_ + kRing);
  used_ring_ = used_ring;
  used_event_ = available_ + kRing + size_;
  available_event_ = reinterpret_cast<uint16_t*>(used_ring + size_);
}

void Ring::make_packed(GuestMemory& memory) {
  packed_ring_ =
      reinterpret_cast<PackedDescriptor*>(memory.allocate(sizeof(PackedDescriptor) * size_, 4096));
  driver_event_ = reinterpret_cast<uint32_t*>(memory.allocate(64, 64));
  device_event_ = reinterpret_cast<uint32_t*>(memory.allocate(64, 64));
  table_.resize(size_);
  packed_used_.resize(size_);
  steps_.resize(size_);
  descriptors_ = table_.data();
  used_ring_ = packed_used_.data();
}

uint16_t Ring::recycle() {
  uint16_t count = 0;
  for (; count < size_; ++count) {
    PackedDescriptor& here = packed_ring_[scanned_.at];
    if (count != 0 && scanned_.at % kPackedInLine == 0) {
      prefetch_for_writing(packed_ring_ + ((scanned_.at + kPackedAhead) & mask()));
    }
    const uint16_t flags = std::atomic_ref(here.flags).load(std::memory_order_acquire);
    if ((flags & kPackedStateBits) != scanned_.used()) break;
    const uint16_t head = here.id & mask();
    if (steps_[head] != 1) break;
    here.length = descriptors_[head].length;
    const auto available = static_cast<uint16_t>(descriptors_[head].flags | put_.available());
    std::atomic_ref(here.flags).store(available, std::memory_order_release);
    scanned_.pass(1, size_);
    put_.pass(1, size_);
  }
  next_available_ = static_cast<uint16_t>(next_available_ + count);
  next_used_ = static_cast<uint16_t>(next_used_ + count);
  if (count != 0 && kick_wanted_packed(count)) kick();
  return count;
}

VringAddress Ring::address(uint32_t index) const {
  VringAddress address;
  address.index = index;
  const void* device_area =
      packed_ ? const_cast<uint32_t*>(device_event_) : static_cast<void*>(used_);
  if (packed_) {
    address.descriptors = memory_->user_address(packed_ring_);
    address.available = memory_->user_address(const_cast<uint32_t*>(driver_event_));
  } else {
    address.descriptors = memory_->user_address(descriptors_);
    address.available = memory_->user_address(available_);
  }
  address.used = memory_->user_address(device_area);
  address.log = memory_->guest_address(device_area);
  return address;
}

void Ring::kick() {
  const uint64_t one = 1;
  ++kicks_;
  // A full counter means that a kick is under way already.
  [[maybe_unused]] const ssize_t written = write(kick_.get(), &one, sizeof(one));
}

void Ring::want_interrupt(bool wanted) {
  interrupts_wanted_ = wanted;
  if (packed_) {
    const uint32_t mode = !wanted        ? kPackedEventDisable
                          : event_index_ ? kPackedEventDescriptor
                                         : kPackedEventEnable;
    *driver_event_ = scanned_.base() | mode << 16;
  } else {
    // used_event just behind us is the furthest away there is.
    *used_event_ = wanted ? next_used_ : static_cast<uint16_t>(next_used_ - 1);
    available_[kFlags] = !wanted && !event_index_ ? kNoInterrupt : uint16_t{0};
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool Ring::wait_interrupt(std::chrono::milliseconds timeout) {
  pollfd ready{call_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return false;
  return take_interrupts() != 0;
}

uint64_t Ring::take_interrupts() {
  uint64_t count = 0;
  return read(call_.get(), &count, sizeof(count)) == sizeof(count) ? count : 0;
}

bool Ring::notification_suppressed() const {
  if (packed_) return *device_event_ >> 16 == kPackedEventDisable;
  return !event_index_ && (used_[kFlags] & kNoNotify) != 0;
}

void Ring::reset() {
  next_available_ = 0;
  next_used_ = 0;
  if (packed_) {
    std::fill_n(packed_ring_, size_, PackedDescriptor{});
    std::fill(steps_.begin(), steps_.end(), uint16_t{0});
    put_ = scanned_ = {};
    put_steps_ = found_ = 0;
    *device_event_ = 0;
  } else {
    available_[kIndex] = 0;
    used_[kIndex] = 0;
    used_[kFlags] = 0;
    *available_event_ = 0;
  }
  want_interrupt(interrupts_wanted_);
}

}  // namespace frontend
