// What a receive ring wrote into buffers, told to the dirty log of a migration (dirty_log.h). Part
// of receive.h.
#pragma once

#include "vhost/receive.h"

namespace vhost {

// Whole frames, each in one piece.
[[gnu::noinline]] inline void ReceiveRing::log_filled(const Batch& batch,
                                                      std::span<const uint16_t> slots,
                                                      const Stage& stage) const noexcept {
  for (size_t i = 0; i < slots.size(); ++i) {
    memory_.log(stage.at[i], uint64_t{batch.length[slots[i]]} + kNetHeaderBytes);
  }
}

// The first `length` bytes of the planned pieces.
[[gnu::noinline]] inline void ReceiveRing::log_planned(const Plan& where,
                                                       uint64_t length) const noexcept {
  for (const Piece* piece = where.piece; length > 0; ++piece) {
    const uint64_t part = std::min<uint64_t>(length, piece->length);
    memory_.log(piece->data, part);
    length -= part;
  }
}

}  // namespace vhost
