// What a port's rings need from whoever polls them.
//
// Threads: called by rte_vhost's thread and by the main thread; never by a worker.
#pragma once

#include <array>
#include <cstdint>

#include "vhost/receive.h"
#include "vhost/transmit.h"
#include "vhost/virtio.h"

namespace vhost {

// Those rings of a port that run, by pair; nullptr: it stands still, or there is none.
struct RunningRings {
  std::array<TransmitRing*, kMaxQueuePairs> transmit{};
  std::array<ReceiveRing*, kMaxQueuePairs> receive{};
};

class Poller {
 public:
  virtual ~Poller() = default;

  // From now on these rings of the port are used, and no others of it. Returns when every worker
  // has ended the turn it was in: what is no longer named is out of use. REQUIRES: the kicks of the
  // transmit rings are watched.
  virtual void use_rings(uint16_t port, const RunningRings& rings) noexcept = 0;

  // The guest kicks the transmit ring of `pair` by `kick_fd`, which stays open until it is watched
  // no more. False: it cannot be waited for, and a sleeping worker would miss its kicks.
  [[nodiscard]] virtual bool watch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept = 0;
  virtual void unwatch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept = 0;
};

}  // namespace vhost
