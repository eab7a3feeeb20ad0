// All workers, and which ports each of them polls. The Poller of the ports' rings.
//
// Threads: assign(), publish() and what follows them on the main thread; synchronize(),
// ring_started() and ring_stopped() on rte_vhost's thread as well.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
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

  // The worker with the fewest ports takes the port. Before its rings can run.
  void assign(uint16_t port);
  void release(uint16_t port);
  int cpu_of(uint16_t port) const;

  // Completes `next` with who polls what, and returns when no worker uses the old snapshot.
  void publish(std::unique_ptr<Snapshot> next);

  // vhost::Poller
  void synchronize() noexcept override { publication_.synchronize(); }
  [[nodiscard]] bool ring_started(uint16_t port, int kick_fd) noexcept override;
  void ring_stopped(uint16_t port, int kick_fd) noexcept override;

  PortCounters counters(uint16_t port) const;
  void clear_counters(uint16_t port);
  std::vector<WorkerInfo> info() const;
  // The ports whose VMMs made a notification hang.
  std::vector<uint16_t> check_notifiers();
  std::vector<bridge::Move> take_moves();
  const std::vector<std::vector<uint16_t>>& polled() const { return polled_; }

 private:
  static constexpr uint16_t kNobody = 0xffff;

  Publication publication_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::vector<uint16_t>> polled_;
  std::array<std::atomic<uint16_t>, bridge::Topology::kPorts> worker_of_;
};

}  // namespace datapath
