// One turn of the poll loop: take a burst from each ring, decide, copy, return the descriptors.
//
// Nothing is kept between turns. What several rings bring is delivered together, so that each
// receiver is locked, looked at and notified once a turn and not once a sender.
//
// This header and what it includes of bridge/ and vhost/ is compiled once for each CPU level
// (turn_level.cc.in); nothing else runs a frame.
//
// Threads: one worker. Never blocks, allocates, logs or throws.
#pragma once

#include <array>
#include <cstdint>

#include "bridge/bridge.h"
#include "datapath/notifier.h"
#include "datapath/snapshot.h"
#include "vhost/batch.h"

namespace datapath {

// Everything of a worker that a turn touches.
struct TurnContext {
  explicit TurnContext(bridge::MacTable& table) : bridge(table) {}

  // Set for each turn.
  const Snapshot* snapshot = nullptr;
  const std::vector<uint16_t>* ports = nullptr;
  uint32_t now = 0;  // the table's second

  // Summed up by turns.
  uint64_t delivered = 0;

  unsigned next_port = 0;  // where the next turn begins: nobody is always first or last
  bridge::Bridge bridge;
  Notifier notifier;
  vhost::Batch batch;
  std::array<bridge::Burst, vhost::Batch::kCapacity> bursts;
  std::array<bridge::PortCounterBlocks, bridge::Topology::kPorts> counters;
};

// Returns how many frames were taken from guests.
using Turn = unsigned (*)(TurnContext&) noexcept;

namespace turn {

// Returns how many bursts there are. Stops when another full burst might not fit.
inline unsigned collect(TurnContext& context) noexcept {
  const std::vector<uint16_t>& ports = *context.ports;
  const auto count = static_cast<unsigned>(ports.size());
  vhost::Batch& batch = context.batch;
  unsigned bursts = 0;
  const unsigned start = context.next_port < count ? context.next_port : 0;
  unsigned at = start;
  for (unsigned i = 0; i < count; ++i) {
    if (batch.count + vhost::TransmitRing::kBurst > vhost::Batch::kCapacity) break;
    const uint16_t port = ports[at];
    at = at + 1 == count ? 0 : at + 1;
    vhost::TransmitRing* ring = context.snapshot->rings[port].transmit;
    if (!ring->running()) continue;
    const unsigned first = batch.count;
    const unsigned taken = ring->take(batch, vhost::TransmitRing::kBurst);
    if (taken == 0) continue;
    const bridge::Burst burst = {port, first, taken};
    context.bursts[bursts++] = burst;
    context.bridge.forward(context.snapshot->topology, batch, burst, context.now,
                           context.counters[port]);
  }
  // A turn that saw every port starts one further next time: who comes first finds the most buffers
  // in a receiver that is short of them.
  context.next_port = at == start ? start + 1 : at;
  return bursts;
}

inline void count(const vhost::Delivery& delivery,
                  bridge::CounterBlock<bridge::Egress>& counters) noexcept {
  using bridge::Egress;
  counters.add(Egress::attempted, delivery.attempted);
  counters.add(Egress::frames, delivery.delivered);
  counters.add(Egress::bytes, delivery.bytes);
  counters.add(Egress::unicast, bridge::tally::unicast(delivery.tally));
  counters.add_if_any(Egress::multicast, bridge::tally::multicast(delivery.tally));
  counters.add_if_any(Egress::broadcast, bridge::tally::broadcast(delivery.tally));
  counters.add_if_any(Egress::drop_no_guest, delivery.no_guest);
  counters.add_if_any(Egress::drop_no_buffer, delivery.no_buffer);
  counters.add_if_any(Egress::drop_buffer_too_small, delivery.too_small);
  counters.add_if_any(Egress::drop_malformed, delivery.malformed);
  counters.add_if_any(Egress::drop_oversize, delivery.oversize);
  counters.add_if_any(Egress::checksums_completed, delivery.completed);
  counters.add_if_any(Egress::tso_whole, delivery.whole);
  counters.add_if_any(Egress::tso_whole_60k, delivery.whole_long);
  counters.add_if_any(Egress::tso_segments, delivery.cut_into);
  counters.add_if_any(Egress::tso_cut, delivery.cut);
}

inline void deliver(TurnContext& context) noexcept {
  bridge::EgressLists& lists = context.bridge.lists();
  for (unsigned list = 0; list < lists.count(); ++list) {
    context.snapshot->rings[lists.port(list)].receive->prefetch_for_delivery();
  }
  for (unsigned list = 0; list < lists.count(); ++list) {
    const uint16_t port = lists.port(list);
    vhost::ReceiveRing* ring = context.snapshot->rings[port].receive;
    const auto slots = lists.slots(list);
    const vhost::Delivery delivery = ring->deliver(context.batch, slots, context.bridge.tallies());
    count(delivery, context.counters[port].egress);
    context.delivered += delivery.delivered;
    if (delivery.interrupt) context.notifier.notify(port, ring->call_fd());
  }
  lists.clear();
}

inline void give_back(TurnContext& context, unsigned bursts) noexcept {
  for (unsigned i = 0; i < bursts; ++i) {
    const bridge::Burst& burst = context.bursts[i];
    vhost::TransmitRing* ring = context.snapshot->rings[burst.port].transmit;
    if (ring->give_back(context.batch, burst.first, burst.count)) {
      context.notifier.notify(burst.port, ring->call_fd());
    }
  }
}

inline unsigned run(TurnContext& context) noexcept {
  context.batch.clear();
  const unsigned bursts = collect(context);
  if (bursts == 0) return 0;
  deliver(context);
  give_back(context, bursts);
  return context.batch.count;
}

}  // namespace turn
}  // namespace datapath
