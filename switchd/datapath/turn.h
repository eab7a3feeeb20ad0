// One turn of the poll loop: take a burst from each ring, decide, copy, return the descriptors.
//
// Nothing is kept between turns. What several rings bring is delivered together, so that each
// receiver is locked, looked at and notified once a turn and not once a sender.
//
// A port has one burst a turn, however many of its rings the worker polls: a guest with many queues
// gets no more of the worker than one with a single queue.
//
// This header and what it includes of bridge/ and vhost/ is compiled once for each CPU level
// (turn_level.cc.in); nothing else runs a frame.
//
// Threads: one worker. Never blocks, allocates, logs or throws.
#pragma once

#include <array>
#include <cstdint>

#include "bridge/announcement.h"
#include "bridge/bridge.h"
#include "datapath/notifier.h"
#include "datapath/snapshot.h"
#include "datapath/steering.h"
#include "vhost/batch.h"

namespace datapath {

// What was taken from one ring.
struct Taken {
  bridge::Burst burst;
  vhost::TransmitRing* ring = nullptr;
};

// Everything of a worker that a turn touches.
struct TurnContext {
  TurnContext(bridge::MacTable& table, uint64_t flow_key) : bridge(table), steering(flow_key) {}

  // Set for each turn.
  const Snapshot* snapshot = nullptr;
  const std::vector<PolledPort>* ports = nullptr;
  uint32_t now = 0;  // the table's second

  // Summed up by turns.
  uint64_t delivered = 0;

  bridge::Announcements announcements;  // pushed by the main thread

  unsigned next_port = 0;  // where the next turn begins: nobody is always first or last
  // Likewise for the rings of each port.
  std::array<uint8_t, bridge::Topology::kPorts> next_ring{};
  bridge::Bridge bridge;
  Steering steering;
  Notifier notifier;
  vhost::Batch batch;
  std::array<Taken, vhost::Batch::kCapacity> taken;
  std::array<bridge::PortCounterBlocks, bridge::Topology::kPorts> counters;
};

// Returns how many frames were taken from guests, or sent for them.
using Turn = unsigned (*)(TurnContext&) noexcept;

namespace turn {

// One burst of the next of the port's rings that has any.
inline Taken take(TurnContext& context, const PolledPort& polled) noexcept {
  vhost::Batch& batch = context.batch;
  const unsigned count = polled.rings.count;
  const unsigned first = batch.count;
  unsigned at = context.next_ring[polled.port];
  if (at >= count) at = 0;
  for (unsigned i = 0; i < count; ++i) {
    vhost::TransmitRing* ring = polled.rings.ring[at];
    at = at + 1 == count ? 0 : at + 1;
    if (!ring->running()) continue;
    const unsigned frames = ring->take(batch, vhost::TransmitRing::kBurst);
    if (frames == 0) continue;
    context.next_ring[polled.port] = static_cast<uint8_t>(at);
    return {{polled.port, first, frames}, ring};
  }
  return {};
}

// Gets on its way what delivering to the lists from `known` on begins with. Returns how many lists
// there are now.
inline unsigned prefetch_receivers(TurnContext& context, unsigned known) noexcept {
  const bridge::EgressLists& lists = context.bridge.lists();
  for (; known < lists.count(); ++known) {
    const auto& rings = context.snapshot->receivers[lists.port(known)];
    for (unsigned i = 0; i < rings.count; ++i) rings.ring[i]->prefetch_for_delivery();
  }
  return known;
}

// Returns how many bursts there are. Stops when another full burst might not fit.
inline unsigned collect(TurnContext& context) noexcept {
  const std::vector<PolledPort>& ports = *context.ports;
  const auto count = static_cast<unsigned>(ports.size());
  const bridge::Topology& topology = *context.snapshot->topology;
  vhost::Batch& batch = context.batch;
  unsigned bursts = 0;
  unsigned receivers = 0;
  const unsigned start = context.next_port < count ? context.next_port : 0;
  unsigned at = start;
  for (unsigned i = 0; i < count; ++i) {
    if (batch.count + vhost::TransmitRing::kBurst > vhost::Batch::kCapacity) break;
    const PolledPort& polled = ports[at];
    at = at + 1 == count ? 0 : at + 1;
    const Taken taken = take(context, polled);
    if (taken.ring == nullptr) continue;
    context.taken[bursts++] = taken;
    context.bridge.forward(topology, batch, taken.burst, context.now,
                           context.counters[polled.port]);
    receivers = prefetch_receivers(context, receivers);
  }
  // A turn that saw every port starts one further next time: who comes first finds the most buffers
  // in a receiver that is short of them.
  context.next_port = at == start ? start + 1 : at;
  return bursts;
}

// Frames that the switch sends in the name of a guest, behind those that guests sent themselves.
// What finds no room in the batch waits for the next turn. Returns how many.
[[gnu::noinline]] inline unsigned announce(TurnContext& context) noexcept {
  vhost::Batch& batch = context.batch;
  const bridge::Topology& topology = *context.snapshot->topology;
  bridge::Announcement next;
  unsigned count = 0;
  while (batch.has_room_for(1, 0) && context.announcements.pop(next)) {
    // It has gone meanwhile, or another one has its index.
    if (!topology.has(next.port)) continue;
    if (context.snapshot->tenancy[next.port] != next.tenancy) continue;
    const unsigned slot = batch.count++;
    constexpr vhost::NetHeader kPlain{0, 0, 0, 0, 0, 0, 1};
    std::memcpy(batch.head[slot].data(), &kPlain, sizeof(kPlain));
    bridge::write_announcement(batch.head[slot].data() + sizeof(kPlain), next.address);
    batch.length[slot] = bridge::kAnnouncementBytes;
    batch.fault[slot] = vhost::FrameFault::none;
    batch.tail[slot] = {};
    context.bridge.forward(topology, batch, {next.port, slot, 1}, context.now,
                           context.counters[next.port]);
    ++count;
  }
  return count;
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

inline void deliver_to(TurnContext& context, uint16_t port, vhost::ReceiveRing& ring,
                       std::span<const uint16_t> slots) noexcept {
  const vhost::Delivery delivery = ring.deliver(context.batch, slots, context.bridge.tallies());
  count(delivery, context.counters[port].egress);
  context.delivered += delivery.delivered;
  if (delivery.interrupt) context.notifier.notify(port, ring.call_fd());
}

// A port with no receive ring running, or several.
[[gnu::noinline]] inline void deliver_to_any(TurnContext& context, uint16_t port,
                                             const RingSet<vhost::ReceiveRing>& receivers,
                                             std::span<const uint16_t> slots) noexcept {
  if (receivers.count == 0) {
    bridge::CounterBlock<bridge::Egress>& counters = context.counters[port].egress;
    counters.add(bridge::Egress::attempted, slots.size());
    counters.add(bridge::Egress::drop_no_guest, slots.size());
    return;
  }
  Steering& steering = context.steering;
  steering.part(context.batch, slots, receivers);
  for (unsigned queue = 0; queue < steering.queues(); ++queue) {
    const auto part = steering.slots(queue);
    if (!part.empty()) deliver_to(context, port, steering.ring(queue), part);
  }
}

inline void deliver(TurnContext& context) noexcept {
  bridge::EgressLists& lists = context.bridge.lists();
  const auto& receivers = context.snapshot->receivers;
  for (unsigned list = 0; list < lists.count(); ++list) {
    const uint16_t port = lists.port(list);
    if (__builtin_expect(receivers[port].count == 1, 1)) {
      deliver_to(context, port, *receivers[port].ring[0], lists.slots(list));
    } else {
      deliver_to_any(context, port, receivers[port], lists.slots(list));
    }
  }
  lists.clear();
}

inline void give_back(TurnContext& context, unsigned bursts) noexcept {
  for (unsigned i = 0; i < bursts; ++i) {
    const Taken& taken = context.taken[i];
    if (taken.ring->give_back(context.batch, taken.burst.first, taken.burst.count)) {
      context.notifier.notify(taken.burst.port, taken.ring->call_fd());
    }
  }
}

inline unsigned run(TurnContext& context) noexcept {
  context.batch.clear();
  const unsigned bursts = collect(context);
  unsigned announced = 0;
  if (__builtin_expect(!context.announcements.empty(), 0)) announced = announce(context);
  if (bursts + announced == 0) return 0;
  deliver(context);
  give_back(context, bursts);
  return context.batch.count;
}

}  // namespace turn
}  // namespace datapath
