#include "frontend/receive_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "frontend/error.h"
#include "frontend/prefetch.h"

namespace frontend {
namespace {

constexpr uint16_t kTableLinks = 3;
constexpr uint16_t kTouchBatch = 32;

}  // namespace

ReceiveStream::ReceiveStream(Ring& ring, GuestMemory& memory, const ReceiveStreamOptions& options)
    : ring_(ring),
      options_(options),
      stride_(stride_for(options.buffer_size)),
      places_(buffer_order(ring.size(), options.scattered)),
      buffers_(memory.allocate(stride_ * ring.size(), 4096)),
      buffers_address_(memory.guest_address(buffers_)),
      last_(options.guests) {
  if (options.buffer_size < options.header_size + kHeadSize) {
    throw Error("receive buffers of a stream hold at least a header and 32 bytes");
  }
  if (options.indirect3) {
    tables_ = reinterpret_cast<Descriptor*>(
        memory.allocate(sizeof(Descriptor) * kTableLinks * ring.size(), 64));
    tables_address_ = memory.guest_address(tables_);
  }
  for (uint16_t slot = 0; slot < ring.size(); ++slot) write_chain(slot);
}

inline void ReceiveStream::write_chain(uint16_t slot) {
  const uint64_t address = buffers_address_ + offset(slot);
  const uint32_t size = options_.buffer_size;
  if (!options_.indirect3) {
    ring_.descriptors()[slot] = {address, size, kDescriptorWrite, 0};
    return;
  }
  const uint32_t header = options_.header_size;
  const uint32_t half = (size - header) / 2;
  Descriptor* table = tables_ + slot * kTableLinks;
  table[0] = ring_.in_table({address, header, kDescriptorWrite | kDescriptorNext, 1});
  table[1] = ring_.in_table({address + header, half, kDescriptorWrite | kDescriptorNext, 2});
  table[2] = ring_.in_table({address + header + half, size - header - half, kDescriptorWrite, 0});
  ring_.descriptors()[slot] = {tables_address_ + slot * kTableLinks * sizeof(Descriptor),
                               static_cast<uint32_t>(sizeof(Descriptor) * kTableLinks),
                               kDescriptorIndirect, 0};
}

uint16_t ReceiveStream::take_pending() {
  constexpr uint16_t kPerLine = kCacheLine / sizeof(UsedElement);
  if (!posted_) [[unlikely]] {
    for (uint16_t slot = 0; slot < ring_.size(); ++slot) ring_.set_available(slot, slot);
    ring_.publish(ring_.size());
    posted_ = true;
  }
  uint16_t pending = ring_.pending();
  if (pending > ring_.size()) [[unlikely]] {
    ++counts_.protocol_errors;
    pending = ring_.size();
  }
  for (uint16_t i = 0; i < pending; i = static_cast<uint16_t>(i + kPerLine)) {
    __builtin_prefetch(ring_.used_line(i));
  }
  return pending;
}

uint32_t ReceiveStream::turn_rings() {
  if (ring_.recycles()) {
    const uint16_t recycled = ring_.recycle();
    counts_.frames += recycled;
    return recycled;
  }
  const uint16_t pending = take_pending();
  if (pending == 0) return 0;
  for (uint16_t i = 0; i < pending; ++i) ring_.set_available(i, slot_of(ring_.used(i)));
  ring_.consume(pending);
  ring_.publish(pending);
  counts_.frames += pending;
  return pending;
}

// A buffer that begins a frame; how many buffers the frame has.
inline uint16_t ReceiveStream::examine(const uint8_t* start) {
  NetHeader header;
  std::memcpy(&header, start, kLongHeader);
  uint16_t buffers = 1;
  if (options_.header_size == kLongHeader) {
    buffers = header.num_buffers;
    const bool good = buffers != 0 && (options_.mergeable || buffers == 1);
    if (!good || header.gso_type != 0) [[unlikely]]
      ++counts_.bad_headers;
    if (!good) [[unlikely]]
      buffers = 1;
  }
  FrameHead head;
  const Verdict verdict = read_head(start + options_.header_size, options_.guest, head);
  if (verdict != Verdict::good || head.source >= last_.size()) [[unlikely]] {
    ++counts_.wrong;
    return buffers;
  }
  if (head.sequence <= last_[head.source]) [[unlikely]]
    ++counts_.misordered;
  last_[head.source] = head.sequence;
  return buffers;
}

uint32_t ReceiveStream::examine_batch(uint16_t first, uint16_t count) {
  std::array<uint16_t, kTouchBatch> slots;
  for (uint16_t i = 0; i < count; ++i) {
    slots[i] = slot_of(ring_.used(static_cast<uint16_t>(first + i)));
    __builtin_prefetch(buffer(slots[i]));
  }
  uint32_t frames = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (continuation_ == 0) {
      continuation_ = static_cast<uint16_t>(examine(buffer(slots[i])) - 1);
      ++frames;
    } else {
      --continuation_;
    }
    write_chain(slots[i]);
    ring_.set_available(static_cast<uint16_t>(first + i), slots[i]);
  }
  return frames;
}

uint32_t ReceiveStream::turn_touch() {
  const uint16_t pending = take_pending();
  if (pending == 0) return 0;
  uint32_t frames = 0;
  for (uint16_t done = 0; done < pending;) {
    const auto count = static_cast<uint16_t>(std::min<unsigned>(kTouchBatch, pending - done));
    frames += examine_batch(done, count);
    done = static_cast<uint16_t>(done + count);
  }
  ring_.consume(pending);
  ring_.publish(pending);
  counts_.frames += frames;
  return frames;
}

uint32_t ReceiveStream::audit(uint32_t& looked_at) const {
  uint32_t wrong = 0;
  looked_at = 0;
  for (uint16_t slot = 0; slot < ring_.size(); ++slot) {
    const uint8_t* frame = buffer(slot) + options_.header_size;
    uint64_t words[2];
    std::memcpy(words, frame, sizeof(words));
    if (words[0] == 0 && words[1] == 0) continue;  // never used
    ++looked_at;
    FrameHead head;
    const bool good = read_head(frame, options_.guest, head) == Verdict::good ||
                      is_segment_for({frame, kHeadSize}, options_.guest);
    if (!good) ++wrong;
  }
  return wrong;
}

}  // namespace frontend
