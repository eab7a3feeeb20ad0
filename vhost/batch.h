// The frames of one turn of the poll loop: taken from guests' transmit rings, decided on, copied
// into receivers, forgotten. Nothing in it outlives the turn.
//
// Of each frame the virtio-net header and the first bytes are copied here, once, before anything is
// decided (`head`), and that copy is what is delivered. The rest (`tail`) stays in the sender's
// memory until it is copied straight into the receiver's. Code that decides sees the head only.
//
// The head always has the 12-byte header, whatever the sender's form: it is the form nearly every
// receiver wants, so that head and tail are one run of bytes to copy.
//
// Frames that ask for an offload are marked (`needs`); a batch without one says so (`any_needs`),
// and then nothing of that is looked at.
//
// Threads: belongs to one worker. Size: some 110 KiB, of which a turn touches what it uses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vhost/offload.h"
#include "vhost/ring_format.h"
#include "vhost/virtio.h"

namespace vhost {

inline constexpr unsigned kHeadBytes = 128;  // header and frame
inline constexpr unsigned kHeadFrameBytes = kHeadBytes - kNetHeaderBytes;
inline constexpr unsigned kEthernetHeaderBytes = 14;  // IEEE 802.3-2018, 3.1.1
// The largest frame that passes: MTU 9216, Ethernet header, one VLAN tag.
inline constexpr unsigned kMaxFrameBytes = 9216 + kEthernetHeaderBytes + 4;
// The largest TCP segment that is still to be cut: 65,550 bytes, which is what a receiver's buffers
// hold (virtio 1.2, 5.1.6.3.1), and one VLAN tag.
inline constexpr unsigned kMaxSegmentBytes = 65550 + 4;

struct Segment {
  const uint8_t* data;
  uint32_t length;
};

// Frame bytes that are not in the head, in the sender's memory.
struct Tail {
  const uint8_t* data = nullptr;  // of the only segment, when `segments` is 1
  uint32_t first = 0;             // index into Batch::segments, when there are more
  uint32_t segments = 0;
};

struct Batch {
  // Enough for one burst of each of a few ports: cost per turn is shared by what they bring.
  static constexpr unsigned kCapacity = 256;
  // Frames of many pieces share this; a turn ends early when it runs low.
  static constexpr unsigned kSegments = 4096;

  uint32_t count = 0;
  uint32_t segments_used = 0;
  alignas(64) std::array<std::array<uint8_t, kHeadBytes>, kCapacity> head;
  std::array<uint32_t, kCapacity> length;  // of the frame, without header
  std::array<FrameFault, kCapacity> fault;
  std::array<Chain, kCapacity> chain;  // to be returned
  std::array<Tail, kCapacity> tail;
  std::array<Segment, kSegments> segments;

  bool any_tails = false;                  // else all frames are nothing but their heads
  bool any_needs = false;                  // else the next two mean nothing
  std::array<uint8_t, kCapacity> needs;    // offload bits; 0: the frame is as it should arrive
  std::array<Offload, kCapacity> offload;  // of frames with needs

  void clear() noexcept {
    count = 0;
    segments_used = 0;
    any_tails = false;
    any_needs = false;
  }
  void set_needs(unsigned slot, uint8_t bits) noexcept {
    if (!any_needs) needs.fill(0);
    any_needs = true;
    needs[slot] = bits;
  }
  bool has_room_for(unsigned frames, unsigned pieces) const noexcept {
    return count + frames <= kCapacity && segments_used + pieces <= kSegments;
  }
};

}  // namespace vhost
