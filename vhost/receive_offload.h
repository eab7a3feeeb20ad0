// What a receive ring does for a driver that cannot do what a frame asks for. Part of receive.h.
//
// Every sum is made of bytes on their way into the receiver; the sender's memory is read once.
#pragma once

#include "vhost/receive.h"

namespace vhost {

// How many frames of the list, from the first on, this driver takes as they are.
[[gnu::noinline]] inline uint32_t ReceiveRing::count_whole(
    const Batch& batch, std::span<const uint16_t> slots) const noexcept {
  uint32_t count = 0;
  while (count < slots.size() && missing(batch, slots[count]) == 0) ++count;
  return count;
}

inline void ReceiveRing::note_segment(const Batch& batch, unsigned slot,
                                      Delivery& result) noexcept {
  if (!batch.any_needs || (batch.needs[slot] & offload::kSegments) == 0) return;
  ++result.whole;
  result.whole_long += batch.length[slot] > kLongSegmentBytes;
}

// The field holds the sum of what the checksum covers beside the frame's own bytes (virtio 1.2,
// 5.1.6.2.1): it is summed up with them.
[[gnu::noinline]] inline void ReceiveRing::write_completed(const Batch& batch, unsigned slot,
                                                           const Plan& where) const noexcept {
  const Offload& request = batch.offload[slot];
  PieceWriter to(where.piece);
  NetHeader header{};
  header.buffer_count = static_cast<uint16_t>(where.buffers);
  to.put(reinterpret_cast<const uint8_t*>(&header), header_bytes_);
  const auto field = to.place_ahead(size_t{request.checksum_start} + request.checksum_offset);
  FrameReader frame(batch, slot);
  frame.read(request.checksum_start,
             [&to](const uint8_t* from, size_t part) { to.put(from, part); });
  InternetSum sum;
  frame.read(batch.length[slot] - request.checksum_start,
             [&](const uint8_t* from, size_t part) { to.put_summed(from, part, sum); });
  store_at(field, sum.checksum());
}

[[gnu::noinline]] inline void ReceiveRing::cut(Careful& work, unsigned slot,
                                               uint32_t tally) noexcept {
  const bool complete = (accepts_ & offload::kChecksum) == 0;
  Segmenter segment(work.batch, slot);
  work.result.attempted += segment.left() - 1;
  const uint32_t before = work.result.delivered;
  while (segment.left() != 0 && find_room(work, segment.length(), segment.left())) {
    const uint32_t length = segment.length();
    PieceWriter to(work.plan.piece);
    segment.write(to, header_bytes_, static_cast<uint16_t>(work.plan.buffers), complete);
    claim(work, length, tally);
  }
  const uint32_t frames = work.result.delivered - before;
  work.result.cut += frames != 0;
  work.result.cut_into += frames;
  work.result.completed += complete ? frames : 0;
}

}  // namespace vhost
