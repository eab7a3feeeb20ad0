// What one VMM has set up so far, and whether its next message is in place.
//
// Theory of operation. rte_vhost trusts a front-end more than a hostile one deserves: a ring's
// size may be changed after its three areas were checked for another, a feature that changes their
// layout may be flipped, a ring number or size may make it allocate without bound, a dirty log may
// be mapped beside where its check looked. So the door keeps a state of its own of every ring and
// lets a message pass only where it is harmless:
//
//   ring:   stopped --SET_VRING_ADDR--> addressed --SET_VRING_KICK--> running
//           (the two in either order; GET_VRING_BASE stops it, RESET_OWNER everything)
//
//   SET_VRING_NUM         not while running, no other size while addressed, 2..1024, a power of
//                         two for a split ring
//   SET_VRING_BASE        not while running
//   SET_VRING_ADDR        after memory and size; areas aligned and inside guest memory; beyond the
//                         first pair with VIRTIO_NET_F_MQ only: rte_vhost lets go of those rings,
//                         and tells nobody, when features without it are set
//   SET_FEATURES          a subset of what is offered; while a ring is addressed only LOG_ALL
//   SET_MEM_TABLE,        also while rings run (memory hotplug, a masked interrupt)
//   SET_VRING_CALL, ...
//   SET_LOG_BASE          also while rings run (migration); after memory, offset 0, long enough for
//                         its highest address. Memory that grows beyond the log afterwards stops
//                         the rings until a longer one comes (device.h)
//
// A ring that is not addressed has no pointer anywhere, which is why "stopped" hangs on the
// address and not on the kick: some VMMs send the kick first of all. SET_VRING_ENABLE is a
// separate bit and comes at any time (QEMU sends it before SET_FEATURES).
//
// check() looks, commit() remembers what the back-end then did; a failure is remembered in the
// way that allows less.
//
// Threads: one. No sockets, no system calls. Errors: check() throws ProtocolError, the reason for
// the operator.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "vhost/door/fd_facts.h"
#include "vhost/door/memory_layout.h"
#include "vhost/door/message.h"

namespace vhost::door {

inline constexpr uint32_t kMinVringSize = 2;
inline constexpr uint32_t kMaxVringSize = 1024;

struct ProtocolOffer {
  uint64_t features = 0;
  uint64_t protocol_features = 0;
  unsigned queue_pairs = 1;
  uint16_t largest_mtu = 0;
};

class ProtocolState {
 public:
  explicit ProtocolState(const ProtocolOffer& offer)
      : offer_(offer), rings_(std::size_t{2} * offer.queue_pairs) {}

  // Throws unless `message`, whose header has been checked, is in place. `fds` are the facts
  // about its descriptors, in their order.
  void check(const Message& message, std::span<const FdFacts> fds);

  // The door's own answer. REQUIRES: the rule of `request` says Answer::door.
  uint64_t answer(Request request) const;

  // The back-end has carried out the message that check() let through, or has failed to.
  void commit(const Message& message, bool success);

 private:
  struct Ring {
    uint32_t size = 0;  // 0: not known yet
    uint32_t base = 0;
    bool addressed = false;
    bool kicked = false;
    bool running() const { return addressed && kicked; }
  };

  void check_offered(Request request) const;
  void check_features(uint64_t wanted) const;
  void check_protocol_features(uint64_t wanted) const;
  void check_ring_index(uint64_t index, const std::string& what) const;
  void check_ring_file(const Message& message, std::span<const FdFacts> fds) const;
  void check_ring_size(const VringState& wanted) const;
  void check_ring_base(const VringState& wanted) const;
  void check_ring_enable(const VringState& wanted) const;
  void check_ring_address(const VringAddress& wanted) const;
  void check_areas(const VringAddress& wanted, const std::string& what) const;
  void check_used_log(const VringAddress& wanted, const std::string& what) const;
  void check_announced(uint64_t value) const;
  void check_log(const LogArea& log, std::span<const FdFacts> fds) const;
  bool packed() const { return (features_ & kFeatureRingPacked) != 0; }

  ProtocolOffer offer_;
  uint64_t features_ = 0;  // negotiated
  std::vector<Ring> rings_;
  MemoryLayout memory_;
  MemoryLayout announced_;  // by a SET_MEM_TABLE that is not committed yet
};

}  // namespace vhost::door
