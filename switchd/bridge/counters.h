// Every counter of a port, by name. None is derived by subtraction, so that the sums can be
// checked:
//
//   ingress: frames = forwarded + flooded + consumed + every ingress drop
//   egress:  attempted = frames + every egress drop
//
// A TCP segment that is cut for its receiver counts there as the frames that it makes.
//
// Threads: each worker has blocks of its own and is their only writer; others read them relaxed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bridge {

// Ingress: from a guest into the switch.
enum class Ingress : uint8_t {
  frames,   // chains taken from the guest's transmit ring, and announcements made for the guest
  bytes,    // of those that are no longer than they may be, without the virtio-net header
  unicast,  // by destination address, of those long enough to have one
  multicast,
  broadcast,
  forwarded,              // to the one port where the destination lives
  flooded,                // to every port that may be reached
  consumed,               // link-local group addresses 01:80:C2:00:00:0X (IEEE 802.1Q-2018, 8.6.3)
  drop_malformed,         // descriptor chain that breaks the rules (virtio 1.2, 2.7)
  drop_header,            // virtio-net header that asks for what was not negotiated
  drop_bad_offload,       // virtio-net header that is not true of its frame (virtio 1.2, 5.1.6.2)
  drop_runt,              // shorter than an Ethernet header
  drop_oversize,          // longer than the largest frame of the port
  drop_bad_source,        // source address is a group or all zero
  drop_static_elsewhere,  // source address is configured statically on another port
  drop_protected_source,  // an isolated port claims an address of a port that is not
  drop_same_port,         // the destination lives on the port the frame came from
  drop_isolated,          // the destination lives on a port that may not be reached
  drop_no_receiver,       // to be flooded, and there is nobody to flood to
  count_
};

// Egress: towards a guest; one for each copy.
enum class Egress : uint8_t {
  attempted,
  frames,  // delivered
  bytes,   // delivered, without the virtio-net header
  unicast,
  multicast,
  broadcast,
  drop_no_guest,          // no guest has its receive ring running
  drop_no_buffer,         // the guest's receive ring has too few buffers free
  drop_buffer_too_small,  // the frame is longer than all that one delivery may use
  drop_malformed,         // the guest's receive descriptors break the rules
  drop_oversize,          // longer than the largest frame of the port
  // Of the frames delivered:
  checksums_completed,  // checksum completed here: the guest takes none that is not
  tso_whole,            // TCP segments delivered as they were
  tso_whole_60k,        // of these, longer than 60 KiB
  tso_segments,         // frames that segments were cut into
  tso_cut,              // segments cut, not frames: those of which a frame was delivered
  count_
};

// What learning did, counted on the ingress port; no frame is dropped for these.
enum class Learning : uint8_t {
  learned,
  moved,          // a known address was seen on this port instead
  moves_limited,  // more moves a second than a table may follow: address left where it was
  mac_limited,    // the port holds its mac_limit already
  table_full,
  count_
};

template <typename Counter>
inline constexpr size_t kCount = static_cast<size_t>(Counter::count_);

inline constexpr std::array<std::string_view, kCount<Ingress>> kIngressNames = {
    "frames",
    "bytes",
    "unicast",
    "multicast",
    "broadcast",
    "forwarded",
    "flooded",
    "consumed",
    "drop_malformed",
    "drop_header",
    "drop_bad_offload",
    "drop_runt",
    "drop_oversize",
    "drop_bad_source",
    "drop_static_elsewhere",
    "drop_protected_source",
    "drop_same_port",
    "drop_isolated",
    "drop_no_receiver"};

inline constexpr std::array<std::string_view, kCount<Egress>> kEgressNames = {
    "attempted",      "frames",         "bytes",
    "unicast",        "multicast",      "broadcast",
    "drop_no_guest",  "drop_no_buffer", "drop_buffer_too_small",
    "drop_malformed", "drop_oversize",  "checksums_completed",
    "tso_whole",      "tso_whole_60k",  "tso_segments",
    "tso_cut"};

inline constexpr std::array<std::string_view, kCount<Learning>> kLearningNames = {
    "learned", "moved", "moves_limited", "mac_limited", "table_full"};

// A port's counters as one worker keeps them. One writer: an add is a plain load and store.
template <typename Counter>
class CounterBlock {
 public:
  void add(Counter counter, uint64_t amount) noexcept {
    std::atomic<uint64_t>& value = values_[static_cast<size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void add_if_any(Counter counter, uint64_t amount) noexcept {
    if (__builtin_expect(amount != 0, 0)) add(counter, amount);
  }
  uint64_t get(size_t counter) const noexcept {
    return values_[counter].load(std::memory_order_relaxed);
  }
  // Only while no worker counts for the port.
  void clear() noexcept {
    for (auto& value : values_) value.store(0, std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, kCount<Counter>> values_{};
};

struct alignas(64) PortCounterBlocks {
  CounterBlock<Ingress> ingress;
  CounterBlock<Egress> egress;
  CounterBlock<Learning> learning;
};

}  // namespace bridge
