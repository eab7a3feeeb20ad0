// Reads a frame of the batch from its first byte to its last: the head, then the sender's pieces.
//
// Each byte of the sender's memory is handed out once. Threads: a plain value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vhost/batch.h"

namespace vhost {

class FrameReader {
 public:
  FrameReader(const Batch& batch, unsigned slot) noexcept
      : at_(batch.head[slot].data() + kNetHeaderBytes) {
    const uint32_t length = batch.length[slot];
    here_ = std::min<uint32_t>(length, kHeadFrameBytes);
    const Tail& tail = batch.tail[slot];
    if (length <= kHeadFrameBytes) return;
    if (tail.segments == 1) {
      only_ = {tail.data, length - kHeadFrameBytes};
      next_ = &only_;
    } else {
      next_ = &batch.segments[tail.first];
    }
  }
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  // The next `length` bytes, as runs: action(bytes, count). REQUIRES: the frame has them.
  template <typename Action>
  void read(size_t length, Action action) noexcept {
    while (length > 0) {
      if (here_ == 0) {
        at_ = next_->data;
        here_ = next_->length;
        ++next_;
        continue;
      }
      const size_t part = std::min<size_t>(length, here_);
      action(at_, part);
      at_ += part;
      here_ -= static_cast<uint32_t>(part);
      length -= part;
    }
  }

 private:
  const uint8_t* at_;
  uint32_t here_;
  const Segment* next_ = nullptr;
  Segment only_{};
};

}  // namespace vhost
