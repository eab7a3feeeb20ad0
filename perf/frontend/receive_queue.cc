#include "frontend/receive_queue.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>

#include "frontend/error.h"

namespace frontend {
namespace {

constexpr std::size_t kPoisonGap = 16;
constexpr uint8_t kPoison = 0xee;
constexpr uint16_t kNoBuffer = 0xffff;

}  // namespace

ReceiveQueue::ReceiveQueue(Ring& ring, GuestMemory& memory, const ReceiveOptions& options)
    : ring_(ring), memory_(memory), options_(options), by_head_(ring.size(), kNoBuffer) {
  if (options_.links.empty()) throw Error("a receive buffer has at least one descriptor");
  const std::size_t each = options_.indirect ? 1 : options_.links.size();
  std::size_t count = ring.size() / each;
  if (options_.buffers != 0) count = std::min<std::size_t>(count, options_.buffers);
  if (count == 0) throw Error("the receive ring is too small for one buffer");
  buffers_.resize(count);
  for (uint16_t i = 0; i < count; ++i) {
    make_buffer(i);
    free_.push_back(i);
  }
}

void ReceiveQueue::make_buffer(uint16_t index) {
  Buffer& buffer = buffers_[index];
  for (const uint32_t length : options_.links) {
    uint8_t* link = memory_.allocate(length + kPoisonGap, 1);
    std::memset(link + length, kPoison, kPoisonGap);
    buffer.links.push_back(link);
  }
  if (options_.indirect) {
    buffer.table = reinterpret_cast<Descriptor*>(
        memory_.allocate(sizeof(Descriptor) * options_.links.size(), 16));
  }
  buffer.head = static_cast<uint16_t>(index * (options_.indirect ? 1 : options_.links.size()));
  by_head_[buffer.head] = index;
}

void ReceiveQueue::write_descriptors(const Buffer& buffer) {
  const uint16_t first = options_.indirect ? uint16_t{0} : buffer.head;
  Descriptor* chain = options_.indirect ? buffer.table : ring_.descriptors();
  for (std::size_t i = 0; i < buffer.links.size(); ++i) {
    Descriptor link = {memory_.guest_address(buffer.links[i]), options_.links[i], kDescriptorWrite,
                       0};
    if (i + 1 != buffer.links.size()) {
      link.flags |= kDescriptorNext;
      link.next = static_cast<uint16_t>(first + i + 1);
    }
    chain[first + i] = options_.indirect ? ring_.in_table(link) : link;
  }
  if (!options_.indirect) return;
  ring_.descriptors()[buffer.head] = {
      memory_.guest_address(buffer.table),
      static_cast<uint32_t>(sizeof(Descriptor) * buffer.links.size()), kDescriptorIndirect, 0};
}

std::size_t ReceiveQueue::fill(std::size_t limit) {
  uint16_t count = 0;
  while (!free_.empty() && count < limit) {
    const Buffer& buffer = buffers_[free_.front()];
    write_descriptors(buffer);
    ring_.set_available(count++, buffer.head);
    posted_.push_back(buffer.head);
    free_.pop_front();
  }
  ring_.publish(count);
  return count;
}

std::optional<ReceivedFrame> ReceiveQueue::receive() {
  const uint16_t pending = ring_.pending();
  if (pending == 0) {
    ring_.rearm();
    return std::nullopt;
  }
  std::vector<uint8_t> whole;
  append_used(0, whole);
  if (whole.size() < options_.header_size) throw Error("a received buffer without a whole header");
  ReceivedFrame frame;
  std::memcpy(&frame.header, whole.data(), options_.header_size);
  frame.buffers = options_.mergeable ? frame.header.num_buffers : uint16_t{1};
  if (frame.buffers == 0 || frame.buffers > pending) {
    throw Error("num_buffers is " + std::to_string(frame.buffers) + " with " +
                std::to_string(pending) + " used buffers there");
  }
  for (uint16_t i = 1; i < frame.buffers; ++i) append_used(i, whole);
  ring_.consume(frame.buffers);
  frame.bytes.assign(whole.begin() + options_.header_size, whole.end());
  ++frames_;
  return frame;
}

void ReceiveQueue::append_used(uint16_t ahead, std::vector<uint8_t>& bytes) {
  const UsedElement used = ring_.used(ahead);
  const auto found = std::find(posted_.begin(), posted_.end(), used.id);
  if (found == posted_.end()) {
    throw Error("the device used a receive buffer that was not posted: id " +
                std::to_string(used.id));
  }
  if (ring_.in_order() && found != posted_.begin()) throw Error("receive buffers out of order");
  const uint16_t index = by_head_[used.id];
  posted_.erase(found);
  append(buffers_[index], used.length, bytes);
  check_poison(buffers_[index]);
  free_.push_back(index);
}

void ReceiveQueue::append(const Buffer& buffer, uint32_t length,
                          std::vector<uint8_t>& bytes) const {
  const uint64_t capacity =
      std::accumulate(options_.links.begin(), options_.links.end(), uint64_t{0});
  if (length > capacity) {
    throw Error("a used length of " + std::to_string(length) + " in a buffer of " +
                std::to_string(capacity));
  }
  for (std::size_t i = 0; i < buffer.links.size() && length != 0; ++i) {
    const uint32_t part = std::min(length, options_.links[i]);
    bytes.insert(bytes.end(), buffer.links[i], buffer.links[i] + part);
    length -= part;
  }
}

void ReceiveQueue::check_poison(const Buffer& buffer) const {
  for (std::size_t i = 0; i < buffer.links.size(); ++i) {
    const uint8_t* end = buffer.links[i] + options_.links[i];
    if (std::any_of(end, end + kPoisonGap, [](uint8_t byte) { return byte != kPoison; })) {
      throw Error("the device wrote past the end of a receive buffer");
    }
  }
}

}  // namespace frontend
