// Writes bytes one after the other into the pieces of a guest's buffers.
//
// The pieces must hold all that is written: who plans a delivery makes sure of it.
//
// Threads: a plain value.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "vhost/checksum.h"
#include "vhost/copy.h"

namespace vhost {

struct Piece {
  uint8_t* data;
  uint32_t length;
};

class PieceWriter {
 public:
  explicit PieceWriter(const Piece* first) noexcept : piece_(first) {}

  void put(const uint8_t* from, size_t length) noexcept {
    each_part(length, [&](uint8_t* to, size_t part) {
      copy_bytes(to, from, part);
      from += part;
    });
  }
  void put_summed(const uint8_t* from, size_t length, InternetSum& sum) noexcept {
    each_part(length, [&](uint8_t* to, size_t part) {
      sum.copy(to, from, part);
      from += part;
    });
  }
  // Where two bytes will stand that are `ahead` of the next one.
  std::array<uint8_t*, 2> place_ahead(size_t ahead) const noexcept {
    PieceWriter there = *this;
    std::array<uint8_t*, 2> place{};
    there.each_part(ahead, [](uint8_t*, size_t) {});
    there.each_part(1, [&](uint8_t* at, size_t) { place[0] = at; });
    there.each_part(1, [&](uint8_t* at, size_t) { place[1] = at; });
    return place;
  }

 private:
  template <typename Action>
  void each_part(size_t length, Action action) noexcept {
    while (length > 0) {
      if (used_ == piece_->length) {
        ++piece_;
        used_ = 0;
        continue;
      }
      const size_t part = std::min<size_t>(length, piece_->length - used_);
      action(piece_->data + used_, part);
      used_ += static_cast<uint32_t>(part);
      length -= part;
    }
  }

  const Piece* piece_;
  uint32_t used_ = 0;
};

inline void store_at(const std::array<uint8_t*, 2>& place, uint16_t stored) noexcept {
  *place[0] = static_cast<uint8_t>(stored);
  *place[1] = static_cast<uint8_t>(stored >> 8);
}

}  // namespace vhost
