// What the two formats of a virtqueue, split (virtio 1.2, 2.7) and packed (2.8), have in common for
// those who take and deliver frames.
//
// A format is a class that knows where a ring lies, our position in it, and how the two sides tell
// each other what. Ring holds one of each and decides, once a burst or a delivery, which one the
// stages are run over; only what is done to the odd chain asks for each link.
//
// Once a VM migrates, what a format writes into guest memory is logged by Ring, which asks it what
// that was; each of these needs memory.logs() and marks by RegionCache::log():
//   log_published(memory, steps)  what write_used() wrote of the last `steps` steps, and what
//                                 publish() wrote, marked last, since that shows the rest. Packed:
//                                 the descriptors written back, of which the one that publishes is
//                                 the first of the burst.
//   log_kicks(memory)             what enable_kicks() and disable_kicks() write: the split ring's
//                                 used flags or its avail event; packed: the device event
//                                 suppression structure.
//
// Places ahead of our position are counted in steps: entries of the available and of the used ring
// where the ring is split, descriptors where it is packed. A chain is Chain::steps of them long.
//
// Threads: plain values.
#pragma once

#include <cstdint>

#include "vhost/copy.h"
#include "vhost/virtio.h"

namespace vhost {

// Why a ring was given up. It stays stopped until the driver sets it up again.
enum class RingFault : uint8_t {
  none,
  avail_index,    // the available index ran further ahead than the ring is long
  descriptor_id,  // an available entry names a descriptor that does not exist
  chain_length,   // a chain of a packed ring has no end
};

// For people.
const char* describe(RingFault fault) noexcept;

// In the words of virtio 1.2, 2.6: descriptor area, driver area, device area. Host addresses.
struct RingAreas {
  const void* descriptors = nullptr;
  const void* driver = nullptr;
  void* device = nullptr;
  uint16_t size = 0;  // descriptors
};

// As rte_vhost and VHOST_USER_SET_VRING_BASE have it.
struct RingPosition {
  uint16_t next_avail = 0;
  uint16_t next_used = 0;
};

// What is needed to return a chain.
struct Chain {
  uint16_t id;
  uint16_t steps;
};
static_assert(sizeof(Chain) == 4);

// A chain that the driver made available, with its first descriptor as it was read.
struct Head {
  Chain chain;
  Descriptor first;
};

// What a format found when it read some heads.
struct HeadsRead {
  unsigned count = 0;
  unsigned steps = 0;
  bool dry = false;  // there are no more than these
  RingFault fault = RingFault::none;
};

// A chain being walked, through the ring's own table or an indirect one.
struct ChainWalk {
  Descriptor link;  // where it stands
  const Descriptor* table;
  unsigned size;  // entries of the table
  unsigned left;  // links that may still follow
  unsigned at;    // where `link` stands; in packed rings
};
enum class Step : uint8_t { link, end, broken };

// One load of 16 bytes: what is checked afterwards is what was read.
inline Descriptor read_descriptor(const Descriptor* from) noexcept {
  Vector16 bits = load16(reinterpret_cast<const uint8_t*>(from));
  pin(bits);
  Descriptor copy;
  store16(reinterpret_cast<uint8_t*>(&copy), bits);
  return copy;
}

}  // namespace vhost
