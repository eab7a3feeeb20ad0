// Learning and forwarding (IEEE 802.1Q-2018, 8.6 to 8.8) of the frames of a batch.
//
// Each frame of one port's burst is learned from and put on the list of each port it goes to, or
// counted as dropped under the name of the reason. Only the frame's head is looked at. Nothing is
// copied here.
//
// Threads: one worker; the table is shared.
#pragma once

#include <cstdint>
#include <cstring>

#include "bridge/counters.h"
#include "bridge/egress_lists.h"
#include "bridge/mac_table.h"
#include "bridge/move_log.h"
#include "bridge/topology.h"
#include "vhost/batch.h"
#include "vhost/receive.h"

namespace bridge {

// Counts by class of destination in one word, so that a delivery adds them up with one addition:
// ten bits each, and a batch has fewer than 1024 frames, as has a delivery.
namespace tally {
inline constexpr uint32_t kUnicast = 1;
inline constexpr uint32_t kMulticast = 1u << 10;
inline constexpr uint32_t kBroadcast = 1u << 20;
constexpr uint32_t unicast(uint32_t sum) {
  return sum & 0x3ff;
}
constexpr uint32_t multicast(uint32_t sum) {
  return sum >> 10 & 0x3ff;
}
constexpr uint32_t broadcast(uint32_t sum) {
  return sum >> 20;
}
static_assert(vhost::Batch::kCapacity < 1024 && vhost::ReceiveRing::kMostDelivered < 1024);
}  // namespace tally

// One burst of one port.
struct Burst {
  uint16_t port = 0;
  unsigned first = 0;  // slots [first, first + count) of the batch
  unsigned count = 0;
};

class Bridge {
 public:
  explicit Bridge(MacTable& table) : table_(table) {}

  void forward(const Topology& topology, const vhost::Batch& batch, const Burst& burst,
               uint32_t now, PortCounterBlocks& counters) noexcept;

  EgressLists& lists() noexcept { return lists_; }
  const uint32_t* tallies() const noexcept { return tallies_.data(); }
  MoveLog& moves() noexcept { return moves_; }

 private:
  // What the last frame's addresses came to: bursts are mostly from one and to one.
  struct Memory {
    MacAddress source;
    LearnResult learned = LearnResult::busy;  // not known: nothing is remembered yet
    MacAddress destination;
    MacPlace place;
  };
  struct Sums {
    uint64_t bytes = 0;
    uint32_t tally = 0;
    uint32_t forwarded = 0;
    uint32_t flooded = 0;
  };

  static MacAddress destination_of(const vhost::Batch& batch, unsigned slot) noexcept {
    return address_at(batch.head[slot].data() + vhost::kNetHeaderBytes);
  }
  static MacAddress source_of(const vhost::Batch& batch, unsigned slot) noexcept {
    return address_at(batch.head[slot].data() + vhost::kNetHeaderBytes + 6);
  }
  static MacAddress address_at(const uint8_t* octets) noexcept {
    uint64_t bits;
    std::memcpy(&bits, octets, sizeof(bits));
    return MacAddress::from_wire_bits(bits);
  }
  // 01:80:C2:00:00:00 to 0F (IEEE 802.1Q-2018, table 8-1).
  static bool is_link_local(MacAddress address) noexcept {
    constexpr uint64_t kPrefix = 0x0000'00c2'8001;
    return (address.wire_bits() & 0xf0ff'ffff'ffff) == kPrefix;
  }

  void prefetch_table(const vhost::Batch& batch, const Burst& burst) const noexcept;
  bool admit_source(MacAddress source, const Burst& burst, uint32_t now, Memory& memory,
                    PortCounterBlocks& counters) noexcept;
  bool note(LearnResult result, MacAddress source, const Burst& burst,
            PortCounterBlocks& counters) noexcept;
  void forward_group(const Topology& topology, MacAddress destination, uint16_t slot,
                     const Burst& burst, Sums& sums, PortCounterBlocks& counters) noexcept;
  void forward_unicast(const Topology& topology, MacPlace place, uint16_t slot, const Burst& burst,
                       Sums& sums, PortCounterBlocks& counters) noexcept;
  void flood(const Topology& topology, uint16_t slot, const Burst& burst, Sums& sums,
             PortCounterBlocks& counters) noexcept;
  static void count_fault(vhost::FrameFault fault, uint32_t length,
                          PortCounterBlocks& counters) noexcept;

  MacTable& table_;
  EgressLists lists_;
  MoveLog moves_;
  std::array<uint32_t, vhost::Batch::kCapacity> tallies_;
};

inline void Bridge::prefetch_table(const vhost::Batch& batch, const Burst& burst) const noexcept {
  MacAddress last_source;
  MacAddress last_destination;
  for (unsigned slot = burst.first; slot < burst.first + burst.count; ++slot) {
    const MacAddress source = source_of(batch, slot);
    const MacAddress destination = destination_of(batch, slot);
    if (source != last_source) table_.prefetch(source);
    if (destination != last_destination) table_.prefetch(destination);
    last_source = source;
    last_destination = destination;
  }
}

inline void Bridge::forward(const Topology& topology, const vhost::Batch& batch, const Burst& burst,
                            uint32_t now, PortCounterBlocks& counters) noexcept {
  prefetch_table(batch, burst);
  Memory memory;
  Sums sums;
  for (unsigned i = burst.first; i < burst.first + burst.count; ++i) {
    const auto slot = static_cast<uint16_t>(i);
    if (__builtin_expect(batch.fault[slot] != vhost::FrameFault::none, 0)) {
      count_fault(batch.fault[slot], batch.length[slot], counters);
      continue;
    }
    sums.bytes += batch.length[slot];
    const MacAddress destination = destination_of(batch, slot);
    const MacAddress source = source_of(batch, slot);
    const bool group = destination.is_group();
    tallies_[slot] = !group                       ? tally::kUnicast
                     : destination.is_broadcast() ? tally::kBroadcast
                                                  : tally::kMulticast;
    sums.tally += tallies_[slot];
    const bool repeated = source == memory.source && memory.learned == LearnResult::known;
    if (!repeated && !admit_source(source, burst, now, memory, counters)) continue;
    if (__builtin_expect(group, 0)) {
      forward_group(topology, destination, slot, burst, sums, counters);
      continue;
    }
    if (destination != memory.destination) {
      memory.destination = destination;
      memory.place = table_.find(destination);
    }
    forward_unicast(topology, memory.place, slot, burst, sums, counters);
  }
  counters.ingress.add(Ingress::frames, burst.count);
  counters.ingress.add(Ingress::bytes, sums.bytes);
  counters.ingress.add(Ingress::forwarded, sums.forwarded);
  counters.ingress.add_if_any(Ingress::flooded, sums.flooded);
  counters.ingress.add(Ingress::unicast, tally::unicast(sums.tally));
  counters.ingress.add_if_any(Ingress::multicast, tally::multicast(sums.tally));
  counters.ingress.add_if_any(Ingress::broadcast, tally::broadcast(sums.tally));
}

// Learns, and tells whether the frame may pass. A source address is an individual one (IEEE
// 802.3-2018, 3.2.3); zero is nobody's.
inline bool Bridge::admit_source(MacAddress source, const Burst& burst, uint32_t now,
                                 Memory& memory, PortCounterBlocks& counters) noexcept {
  if (source.is_group() || source.is_zero()) {
    counters.ingress.add(Ingress::drop_bad_source, 1);
    return false;
  }
  memory.learned = table_.learn(source, burst.port, now);
  memory.source = source;
  if (__builtin_expect(memory.learned == LearnResult::known, 1)) return true;
  const bool pass = note(memory.learned, source, burst, counters);
  if (memory.learned == LearnResult::learned || memory.learned == LearnResult::moved) {
    memory.learned = LearnResult::known;
  }
  return pass;
}

inline bool Bridge::note(LearnResult result, MacAddress source, const Burst& burst,
                         PortCounterBlocks& counters) noexcept {
  switch (result) {
    case LearnResult::known:
    case LearnResult::busy:
      return true;
    case LearnResult::learned:
      counters.learning.add(Learning::learned, 1);
      return true;
    case LearnResult::moved:
      counters.learning.add(Learning::moved, 1);
      moves_.push({source, burst.port});
      return true;
    case LearnResult::moves_limited:
      counters.learning.add(Learning::moves_limited, 1);
      return true;
    case LearnResult::mac_limited:
      counters.learning.add(Learning::mac_limited, 1);
      return true;
    case LearnResult::table_full:
      counters.learning.add(Learning::table_full, 1);
      return true;
    case LearnResult::drop_static:
      counters.ingress.add(Ingress::drop_static_elsewhere, 1);
      return false;
    case LearnResult::drop_protected:
      counters.ingress.add(Ingress::drop_protected_source, 1);
      return false;
  }
  return true;
}

inline void Bridge::forward_group(const Topology& topology, MacAddress destination, uint16_t slot,
                                  const Burst& burst, Sums& sums,
                                  PortCounterBlocks& counters) noexcept {
  if (is_link_local(destination)) {
    counters.ingress.add(Ingress::consumed, 1);
  } else {
    flood(topology, slot, burst, sums, counters);
  }
}

inline void Bridge::forward_unicast(const Topology& topology, MacPlace place, uint16_t slot,
                                    const Burst& burst, Sums& sums,
                                    PortCounterBlocks& counters) noexcept {
  const uint16_t to = place.port();
  if (__builtin_expect(!place.found(), 0)) return flood(topology, slot, burst, sums, counters);
  if (__builtin_expect(topology.reaches(burst.port, to), 1)) {
    lists_.add(to, slot);
    ++sums.forwarded;
  } else if (to == burst.port) {
    counters.ingress.add(Ingress::drop_same_port, 1);
  } else if (topology.has(to)) {
    counters.ingress.add(Ingress::drop_isolated, 1);
  } else {
    flood(topology, slot, burst, sums, counters);  // its port has gone, the table not noticed yet
  }
}

inline void Bridge::flood(const Topology& topology, uint16_t slot, const Burst& burst, Sums& sums,
                          PortCounterBlocks& counters) noexcept {
  const auto& ports = topology.flood(burst.port);
  if (ports.empty()) {
    counters.ingress.add(Ingress::drop_no_receiver, 1);
    return;
  }
  for (const uint16_t port : ports) lists_.add(port, slot);
  ++sums.flooded;
}

inline void Bridge::count_fault(vhost::FrameFault fault, uint32_t length,
                                PortCounterBlocks& counters) noexcept {
  counters.ingress.add(Ingress::bytes, length);
  switch (fault) {
    case vhost::FrameFault::none:
      return;
    case vhost::FrameFault::malformed:
      return counters.ingress.add(Ingress::drop_malformed, 1);
    case vhost::FrameFault::header:
      return counters.ingress.add(Ingress::drop_header, 1);
    case vhost::FrameFault::offload:
      return counters.ingress.add(Ingress::drop_bad_offload, 1);
    case vhost::FrameFault::runt:
      return counters.ingress.add(Ingress::drop_runt, 1);
    case vhost::FrameFault::oversize:
      return counters.ingress.add(Ingress::drop_oversize, 1);
  }
}

}  // namespace bridge
