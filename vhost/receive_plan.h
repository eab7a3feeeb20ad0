// Where a frame goes that does not fit the nearly universal case: which buffers, piece by piece.
// Part of receive.h.
#pragma once

#include "vhost/receive.h"

namespace vhost {

// Gets the first lines of `count` buffers behind `taken`, whatever their shape, on their way: of
// those in tables when the tables are there. Nothing read here is used for anything else.
inline void ReceiveRing::prefetch_chains(uint32_t taken, uint32_t count) noexcept {
  constexpr uint32_t kTables = 64;
  constexpr uint32_t kLinks = 4;
  struct Table {
    const Descriptor* at;
    uint32_t links;
  };
  std::array<Table, kTables> tables;
  uint32_t found = 0;
  const auto look = [&](const Descriptor& link) {
    uint8_t* at = memory_.translate(link.address, link.length);
    if ((link.flags & kDescIndirect) == 0) return prefetch_for_write(at);
    prefetch(at);
    if (at == nullptr || found == kTables) return;
    const auto links = static_cast<uint32_t>(link.length / sizeof(Descriptor));
    tables[found++] = {reinterpret_cast<const Descriptor*>(at), std::min(links, kLinks)};
  };
  is_packed_ ? packed_.glance(taken, count, look) : split_.glance(taken, count, look);
  for (const Table& table : std::span(tables).first(found)) {
    for (uint32_t i = 0; i < table.links; ++i) {
      prefetch_for_write(memory_.translate(read_descriptor(&table.at[i]).address, 1));
    }
  }
}

// Finds room for `need` bytes behind `taken` steps, claiming nothing.
inline ReceiveRing::Outcome ReceiveRing::plan(uint32_t taken, uint32_t available, uint64_t need,
                                              Plan& out) noexcept {
  out.buffers = 0;
  out.steps = 0;
  out.pieces = 0;
  out.capacity = 0;
  // A driver's buffers are mostly all of one kind: the other way is not tried for each frame.
  if (!is_packed_ && out.direct) {
    plan_direct(taken, available, need, out);
    out.direct = out.buffers != 0;
  }
  while (out.capacity < need) {
    if (!mergeable_ && out.buffers == 1) return Outcome::too_small;
    if (out.walked >= kLinksPerDelivery) return Outcome::no_buffer;
    const uint32_t step = taken + out.steps;
    Head head;
    if (!find_head(step, available, head)) return Outcome::no_buffer;
    prefetch_chain(step + kBuffersAhead);
    const uint64_t before = out.capacity;
    const bool sound = add_buffer(head, step, out);
    out.chain[out.buffers] = head.chain;
    out.steps += head.chain.steps;
    out.buffer_capacity[out.buffers++] = static_cast<uint32_t>(out.capacity - before);
    // A buffer of no bytes is none: a ring of them would be walked anew for each frame.
    if (!sound || out.capacity == before) return Outcome::malformed;
  }
  return Outcome::delivered;
}

// The part of a plan that is buffers of one descriptor each, in one piece of memory, as nearly all
// drivers post them. At the first other one it ends.
inline void ReceiveRing::plan_direct(uint32_t taken, uint32_t available, uint64_t need,
                                     Plan& out) noexcept {
  if (taken >= available || out.walked >= kLinksPerDelivery || !running()) return;
  const uint32_t most =
      std::min(mergeable_ ? available - taken : 1, kLinksPerDelivery - out.walked);
  uint32_t found = 0;
  uint64_t capacity = 0;
  const auto add = [&](Chain chain, const Descriptor& buffer) {
    constexpr uint16_t kShape = kDescNext | kDescWrite | kDescIndirect;
    const uint32_t length = std::min<uint32_t>(buffer.length, kNetHeaderBytes + kMaxSegmentBytes);
    uint8_t* at = memory_.translate(buffer.address, length);
    if ((buffer.flags & kShape) != kDescWrite || length == 0 || at == nullptr) return false;
    out.piece[found] = {at, length};
    out.chain[found] = chain;
    out.buffer_capacity[found++] = length;
    capacity += length;
    return capacity < need;
  };
  const RingFault fault = split_.walk_heads(taken, most, add);
  if (__builtin_expect(fault != RingFault::none, 0)) give_up(fault);
  out.buffers = out.steps = out.pieces = found;
  out.walked += found;
  out.capacity = capacity;
}

// Walks the chain at `head`; false when it breaks the rules (virtio 1.2, 2.7.5). Lengths beyond
// the largest segment are cut: no delivery needs them.
inline bool ReceiveRing::add_buffer(const Head& head, uint32_t step, Plan& out) noexcept {
  ChainWalk walk;
  if (!start_walk(walk, head, step)) return false;
  for (Step next = Step::link; next != Step::end; next = next_link(walk)) {
    ++out.walked;
    if (next == Step::broken) return false;
    const Descriptor& link = walk.link;
    if ((link.flags & kDescWrite) == 0 || (link.flags & kDescIndirect) != 0) return false;
    uint64_t address = link.address;
    uint64_t left = std::min<uint64_t>(link.length, kNetHeaderBytes + kMaxSegmentBytes);
    while (left > 0) {
      uint64_t available = 0;
      uint8_t* at = memory_.translate_some(address, available);
      if (at == nullptr || out.pieces == kMostPieces) return false;
      const auto length = static_cast<uint32_t>(std::min(left, available));
      out.piece[out.pieces++] = {at, length};
      out.capacity += length;
      address += length;
      left -= length;
    }
  }
  return true;
}

// A packed ring's used descriptors are written at the end of a delivery: a driver that polls sees
// each one at once, and takes its line away while the next one is written into it. A chain has a
// step of the ring to itself, so there is room for all.
inline void ReceiveRing::note_used(Plan& plan, uint32_t step, Chain chain,
                                   uint32_t length) noexcept {
  if (__builtin_expect(!is_packed_, 1)) return split_.write_used(step, chain, length);
  plan.used[plan.noted++] = {step, chain, length};
}

// The first one last: all of it is there when the driver sees that.
inline void ReceiveRing::write_noted(const Plan& plan) noexcept {
  for (uint32_t i = plan.noted; i-- > 0;) {
    packed_.write_used(plan.used[i].step, plan.used[i].chain, plan.used[i].length);
  }
}

}  // namespace vhost
