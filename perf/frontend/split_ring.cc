#include "frontend/split_ring.h"

#include <poll.h>
#include <sys/eventfd.h>

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

SplitRing::SplitRing(GuestMemory& memory, uint16_t size)
    : memory_(&memory),
      size_(size),
      kick_(event_descriptor()),
      call_(event_descriptor()),
      error_(event_descriptor()) {
  if (!std::has_single_bit(size)) throw Error("a split ring's size is a power of two");
  // Each area on lines of its own: the two sides write different ones.
  descriptors_ = reinterpret_cast<Descriptor*>(memory.allocate(sizeof(Descriptor) * size, 4096));
  available_ = reinterpret_cast<uint16_t*>(memory.allocate(6u + 2u * size, 64));
  used_ = reinterpret_cast<uint16_t*>(memory.allocate(6u + sizeof(UsedElement) * size, 4096));
  used_ring_ = reinterpret_cast<UsedElement*>(used_ + kRing);
  used_event_ = available_ + kRing + size;
  available_event_ = reinterpret_cast<uint16_t*>(used_ring_ + size);
  want_interrupt(false);
}

VringAddress SplitRing::address(uint32_t index) const {
  VringAddress address;
  address.index = index;
  address.descriptors = memory_->user_address(descriptors_);
  address.available = memory_->user_address(available_);
  address.used = memory_->user_address(used_);
  address.log = memory_->guest_address(used_);
  return address;
}

void SplitRing::kick() {
  const uint64_t one = 1;
  ++kicks_;
  // A full counter means that a kick is under way already.
  [[maybe_unused]] const ssize_t written = write(kick_.get(), &one, sizeof(one));
}

void SplitRing::want_interrupt(bool wanted) {
  interrupts_wanted_ = wanted;
  // used_event just behind us is the furthest away there is.
  *used_event_ = wanted ? next_used_ : static_cast<uint16_t>(next_used_ - 1);
  available_[kFlags] = !wanted && !event_index_ ? kNoInterrupt : uint16_t{0};
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool SplitRing::wait_interrupt(std::chrono::milliseconds timeout) {
  pollfd ready{call_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return false;
  return take_interrupts() != 0;
}

uint64_t SplitRing::take_interrupts() {
  uint64_t count = 0;
  return read(call_.get(), &count, sizeof(count)) == sizeof(count) ? count : 0;
}

bool SplitRing::notification_suppressed() const {
  return !event_index_ && (used_[kFlags] & kNoNotify) != 0;
}

void SplitRing::reset() {
  next_available_ = 0;
  next_used_ = 0;
  available_[kIndex] = 0;
  used_[kIndex] = 0;
  used_[kFlags] = 0;
  *available_event_ = 0;
  want_interrupt(interrupts_wanted_);
}

}  // namespace frontend
