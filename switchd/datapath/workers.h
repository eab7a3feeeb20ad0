// All workers, and which rings each of them polls. The Poller of the ports' rings.
//
// A port has a home, the worker with the fewest ports; its transmit rings are polled by that one
// and those after it in turn, so that the queues of one guest may be served by several CPUs.
//
// Threads: assign(), publish() and what follows them on the main thread; synchronize() and the
// Poller on rte_vhost's thread as well. The lock is for who makes the next snapshot, and is not
// held while workers are waited for.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "datapath/publication.h"
#include "datapath/switch_api.h"
#include "datapath/switch_settings.h"
#include "datapath/worker.h"
#include "vhost/poller.h"

namespace datapath {

// How often check_notifiers() wants to be called; a hostile VMM holds a worker twice that at most.
inline constexpr std::chrono::milliseconds kWatchPeriod{20};

class Workers final : public vhost::Poller {
 public:
  Workers(const SwitchSettings& settings, const CpuLevel& level, uint64_t tsc_hz,
          bridge::MacTable& table, const std::atomic<uint32_t>& now);
  ~Workers() override;

  // The port gets a home. Before its rings can run.
  void assign(uint16_t port);
  // Frames are taken from it no more once the next topology is published.
  void release(uint16_t port);
  int cpu_of(uint16_t port) const;
  // The ports whose home the worker is, and those of which it polls a ring.
  std::vector<uint16_t> ports_of(unsigned worker) const;

  // Returns when no worker uses the old topology.
  void publish(bridge::Topology topology);
  // Returns when every worker has ended the turn that it was in.
  void synchronize() noexcept;

  // vhost::Poller
  void use_rings(uint16_t port, const vhost::RunningRings& rings) noexcept override;
  [[nodiscard]] bool watch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept override;
  void unwatch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept override;

  // The address lives on the port from now on, says its VMM: sent as a frame of its own by the
  // worker at the port's home. So many may wait that no VMM in its senses sends more; what is
  // beyond that is not said. REQUIRES: the port is published. Main thread.
  void announce(uint16_t port, bridge::MacAddress address) noexcept;

  PortCounters counters(uint16_t port) const;
  void clear_counters(uint16_t port);
  std::vector<WorkerInfo> info() const;
  // The ports whose VMMs made a notification hang.
  std::vector<uint16_t> check_notifiers();
  std::vector<bridge::Move> take_moves();

 private:
  unsigned worker_of(uint16_t port, unsigned pair) const noexcept {
    return (home_[port].load(std::memory_order_relaxed) + pair) %
           static_cast<unsigned>(workers_.size());
  }
  std::unique_ptr<const Snapshot> compose() const;
  void add_polled(uint16_t port, Snapshot& next) const;

  Publication publication_;
  std::vector<std::unique_ptr<Worker>> workers_;
  uint64_t interrupt_after_ = 0;  // TSC
  std::array<std::atomic<uint16_t>, bridge::Topology::kPorts> home_{};

  mutable std::mutex lock_;  // of what follows
  std::shared_ptr<const bridge::Topology> topology_ = std::make_shared<bridge::Topology>();
  std::bitset<bridge::Topology::kPorts> assigned_;
  std::array<uint32_t, bridge::Topology::kPorts> tenancy_{};
  std::array<vhost::RunningRings, bridge::Topology::kPorts> rings_;
};

}  // namespace datapath
