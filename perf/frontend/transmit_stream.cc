#include "frontend/transmit_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "frontend/error.h"
#include "frontend/prefetch.h"

namespace frontend {
namespace {

constexpr uint16_t kTableLinks = 3;
constexpr uint32_t kPlainSize = 60;   // of frames between segments
constexpr uint16_t kTouchBatch = 32;  // slots whose lines are fetched for writing at a time

}  // namespace

TransmitStream::TransmitStream(Ring& ring, GuestMemory& memory,
                               const TransmitStreamOptions& options)
    : ring_(ring),
      memory_(memory),
      options_(options),
      frame_size_(options.frame_size),
      stride_(stride_for(options.header_size + options.frame_size)),
      places_(buffer_order(ring.size(), options.scattered)),
      buffers_(memory.allocate(stride_ * ring.size(), 4096)),
      buffers_address_(memory.guest_address(buffers_)) {
  if (options.frame_size < kHeadSize) throw Error("frames of a stream have at least 32 bytes");
  if (options.shape == StreamShape::indirect3) {
    tables_ = reinterpret_cast<Descriptor*>(
        memory.allocate(sizeof(Descriptor) * kTableLinks * ring.size(), 64));
  }
  for (uint16_t slot = 0; slot < ring.size(); ++slot) write_chain(slot);
  // Taken from the back: the first turn makes slot 0 available first.
  for (uint16_t slot = ring.size(); slot-- > 0;) free_.push_back(slot);
}

inline void TransmitStream::write_chain(uint16_t slot) {
  const uint64_t address = buffers_address_ + offset(slot);
  const uint32_t header = options_.header_size;
  const uint32_t size = frame_size_;
  if (options_.shape == StreamShape::direct) {
    ring_.descriptors()[slot] = {address, header + size, 0, 0};
    return;
  }
  Descriptor* table = tables_ + slot * kTableLinks;
  table[0] = ring_.in_table({address, header, kDescriptorNext, 1});
  table[1] = ring_.in_table({address + header, size / 2, kDescriptorNext, 2});
  table[2] = ring_.in_table({address + header + size / 2, size - size / 2, 0, 0});
  ring_.descriptors()[slot] = {memory_.guest_address(table),
                               static_cast<uint32_t>(sizeof(Descriptor) * kTableLinks),
                               kDescriptorIndirect, 0};
}

void TransmitStream::write_slot(uint16_t slot) {
  const NetHeader header = segments_ ? segment_header(options_.gso_size) : NetHeader{};
  std::memcpy(buffer(slot), &header, options_.header_size);
  const std::vector<uint8_t> frame = segments_ ? make_segment(cursor_.next(), frame_size_)
                                               : make_frame(cursor_.next(), frame_size_);
  write_chain(slot);
  std::copy(frame.begin(), frame.end(), head(slot));
}

void TransmitStream::aim(const TrafficPlan& plan) {
  if (free_.size() != ring_.size()) throw Error("a stream is aimed while frames are in flight");
  plan_ = plan;
  cursor_ = PlanCursor(plan_);
  std::sort(free_.begin(), free_.end(), std::greater<>());
  if (plan_.destinations.empty()) return;
  segments_ = options_.gso_size != 0 && plan_.destinations.front() != kFlood;
  frame_size_ = options_.gso_size == 0 || segments_ ? options_.frame_size : kPlainSize;
  for (uint16_t slot = 0; slot < ring_.size(); ++slot) write_slot(slot);
}

uint16_t TransmitStream::take_pending() {
  constexpr uint16_t kPerLine = kCacheLine / sizeof(UsedElement);
  uint16_t pending = ring_.pending();
  if (pending > in_flight()) [[unlikely]] {
    ++protocol_errors_;
    pending = in_flight();
  }
  for (uint16_t i = 0; i < pending; i = static_cast<uint16_t>(i + kPerLine)) {
    __builtin_prefetch(ring_.used_line(i));
  }
  returned_ += pending;
  return pending;
}

uint32_t TransmitStream::turn_rings() {
  if (ring_.recycles()) {
    const uint16_t recycled = ring_.recycle();
    returned_ += recycled;
    return recycled;
  }
  const uint16_t pending = take_pending();
  if (pending == 0 && free_.empty()) return 0;
  for (uint16_t i = 0; i < pending; ++i) ring_.set_available(i, slot_of(ring_.used(i)));
  ring_.consume(pending);
  uint16_t count = pending;
  for (; !free_.empty() && !plan_.destinations.empty(); free_.pop_back()) {
    ring_.set_available(count++, free_.back());
  }
  if (count != 0) ring_.publish(count);
  return pending;
}

inline void TransmitStream::touch(uint8_t* start, PlanCursor& cursor) const {
  std::memset(start, 0, 16);  // the header, and what the head is going to be written over
  write_head(start + options_.header_size, cursor.next());
}

void TransmitStream::touch_returned(uint16_t first, uint16_t count) {
  std::array<uint16_t, kTouchBatch> slots;
  for (uint16_t i = 0; i < count; ++i) {
    slots[i] = slot_of(ring_.used(static_cast<uint16_t>(first + i)));
    prefetch_for_writing(buffer(slots[i]));
  }
  PlanCursor cursor = cursor_;
  for (uint16_t i = 0; i < count; ++i) touch(buffer(slots[i]), cursor);
  cursor_ = cursor;
  for (uint16_t i = 0; i < count; ++i) {
    write_chain(slots[i]);
    ring_.set_available(static_cast<uint16_t>(first + i), slots[i]);
  }
}

// Hands out free slots from entry `ahead` on; how many there are then.
uint16_t TransmitStream::touch_free(uint16_t ahead, uint32_t limit) {
  for (; !free_.empty() && !plan_.destinations.empty() && ahead < limit; free_.pop_back()) {
    touch(buffer(free_.back()), cursor_);
    write_chain(free_.back());
    ring_.set_available(ahead++, free_.back());
  }
  return ahead;
}

uint32_t TransmitStream::turn_touch() {
  const uint16_t pending = take_pending();
  if (pending == 0 && free_.empty()) return 0;
  for (uint16_t done = 0; done < pending;) {
    const auto count = static_cast<uint16_t>(std::min<unsigned>(kTouchBatch, pending - done));
    touch_returned(done, count);
    done = static_cast<uint16_t>(done + count);
  }
  ring_.consume(pending);
  const uint16_t count = touch_free(pending, UINT32_MAX);
  if (count != 0) ring_.publish(count);
  return pending;
}

uint32_t TransmitStream::drain() {
  const uint16_t pending = take_pending();
  for (uint16_t i = 0; i < pending; ++i) free_.push_back(slot_of(ring_.used(i)));
  ring_.consume(pending);
  return in_flight();
}

uint32_t TransmitStream::send(uint32_t limit) {
  drain();
  const uint16_t count = touch_free(0, limit);
  if (count != 0) ring_.publish(count);
  return count;
}

}  // namespace frontend
