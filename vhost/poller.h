// What a port's rings need from whoever polls them.
//
// Threads: called by rte_vhost's thread and by the main thread; never by a worker.
#pragma once

#include <cstdint>

namespace vhost {

class Poller {
 public:
  virtual ~Poller() = default;

  // Returns when every worker has ended the turn it was in: what was stopped before is out of use.
  virtual void synchronize() noexcept = 0;

  // The port's transmit ring runs; its guest kicks `kick_fd`, which stays open until
  // ring_stopped(). False: it cannot be waited for, and a sleeping worker would miss its kicks.
  [[nodiscard]] virtual bool ring_started(uint16_t port, int kick_fd) noexcept = 0;
  virtual void ring_stopped(uint16_t port, int kick_fd) noexcept = 0;
};

}  // namespace vhost
