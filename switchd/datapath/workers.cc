#include "datapath/workers.h"

#include <rte_cycles.h>

#include <algorithm>
#include <random>

namespace datapath {
namespace {

template <typename Counter>
void add_up(const bridge::CounterBlock<Counter>& block,
            std::array<uint64_t, bridge::kCount<Counter>>& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += block.get(i);
}

}  // namespace

Workers::Workers(const SwitchSettings& settings, const CpuLevel& level, uint64_t tsc_hz,
                 bridge::MacTable& table, const std::atomic<uint32_t>& now)
    : publication_(static_cast<unsigned>(settings.workers.size())) {
  constexpr uint64_t kMicroseconds = 1'000'000;
  const auto idle = static_cast<uint64_t>(settings.idle.count()) * tsc_hz / kMicroseconds;
  constexpr uint64_t kMilliseconds = 1000;
  interrupt_after_ = 2 * static_cast<uint64_t>(kWatchPeriod.count()) * tsc_hz / kMilliseconds;
  std::random_device random;
  const uint64_t flow_key = uint64_t{random()} << 32 | random();
  for (const int cpu : settings.workers) {
    const WorkerSettings one = {
        static_cast<unsigned>(workers_.size()), cpu, settings.poll, idle, level.turn, flow_key};
    workers_.push_back(std::make_unique<Worker>(one, publication_, table, now));
  }
  for (auto& worker : workers_) worker->start();
}

Workers::~Workers() {
  for (auto& worker : workers_) worker->stop();
}

void Workers::assign(uint16_t port) {
  const std::lock_guard guard(lock_);
  std::vector<unsigned> ports(workers_.size());
  for (uint16_t other = 0; other < bridge::Topology::kPorts; ++other) {
    if (assigned_[other]) ++ports[home_[other]];
  }
  const auto fewest = std::min_element(ports.begin(), ports.end());
  home_[port] = static_cast<uint16_t>(fewest - ports.begin());
  assigned_[port] = true;
  ++tenancy_[port];
}

void Workers::release(uint16_t port) {
  const std::lock_guard guard(lock_);
  assigned_[port] = false;
}

int Workers::cpu_of(uint16_t port) const {
  return workers_[home_[port]]->cpu();
}

std::vector<uint16_t> Workers::ports_of(unsigned worker) const {
  const std::lock_guard guard(lock_);
  std::vector<uint16_t> ports;
  for (uint16_t port = 0; port < bridge::Topology::kPorts; ++port) {
    if (!assigned_[port]) continue;
    bool here = home_[port] == worker;
    for (unsigned pair = 0; pair < vhost::kMaxQueuePairs; ++pair) {
      here |= rings_[port].transmit[pair] != nullptr && worker_of(port, pair) == worker;
    }
    if (here) ports.push_back(port);
  }
  return ports;
}

// Under the lock.
std::unique_ptr<const Snapshot> Workers::compose() const {
  auto next = std::make_unique<Snapshot>();
  next->topology = topology_;
  next->tenancy = tenancy_;
  next->polled.resize(workers_.size());
  for (uint16_t port = 0; port < bridge::Topology::kPorts; ++port) {
    if (!topology_->has(port)) continue;
    for (vhost::ReceiveRing* ring : rings_[port].receive) {
      if (ring != nullptr) next->receivers[port].add(ring);
    }
    if (assigned_[port]) add_polled(port, *next);
  }
  return next;
}

void Workers::add_polled(uint16_t port, Snapshot& next) const {
  for (unsigned pair = 0; pair < vhost::kMaxQueuePairs; ++pair) {
    vhost::TransmitRing* ring = rings_[port].transmit[pair];
    if (ring == nullptr) continue;
    auto& polled = next.polled[worker_of(port, pair)];
    if (polled.empty() || polled.back().port != port) polled.push_back({port, {}});
    polled.back().rings.add(ring);
  }
}

void Workers::publish(bridge::Topology topology) {
  std::unique_ptr<const Snapshot> old;
  {
    const std::lock_guard guard(lock_);
    topology_ = std::make_shared<bridge::Topology>(std::move(topology));
    old = publication_.replace(compose());
  }
  synchronize();
  for (auto& worker : workers_) worker->wake();
}

void Workers::use_rings(uint16_t port, const vhost::RunningRings& rings) noexcept {
  std::unique_ptr<const Snapshot> old;
  {
    const std::lock_guard guard(lock_);
    rings_[port] = rings;
    old = publication_.replace(compose());
  }
  synchronize();
  for (unsigned pair = 0; pair < vhost::kMaxQueuePairs; ++pair) {
    if (rings.transmit[pair] != nullptr) workers_[worker_of(port, pair)]->wake();
  }
}

// A VMM can make a worker's write into an eventfd sleep, and the main thread, which otherwise ends
// that, may be the one that waits here.
void Workers::synchronize() noexcept {
  const uint64_t since = publication_.begin();
  uint64_t started = rte_rdtsc();
  while (!publication_.passed(since)) {
    rte_pause();
    if (rte_rdtsc() - started < interrupt_after_) continue;
    for (auto& worker : workers_) worker->interrupt_notifier();
    started = rte_rdtsc();
  }
}

bool Workers::watch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept {
  return kick_fd < 0 || workers_[worker_of(port, pair)]->watch(kick_fd);
}

void Workers::unwatch_kicks(uint16_t port, uint16_t pair, int kick_fd) noexcept {
  if (kick_fd >= 0) workers_[worker_of(port, pair)]->unwatch(kick_fd);
}

void Workers::announce(uint16_t port, bridge::MacAddress address) noexcept {
  uint32_t tenancy = 0;
  {
    const std::lock_guard guard(lock_);
    tenancy = tenancy_[port];
  }
  workers_[worker_of(port, 0)]->announce({address, port, tenancy});
}

PortCounters Workers::counters(uint16_t port) const {
  PortCounters sums;
  for (const auto& worker : workers_) {
    const bridge::PortCounterBlocks& blocks = worker->counters(port);
    add_up(blocks.ingress, sums.ingress);
    add_up(blocks.egress, sums.egress);
    add_up(blocks.learning, sums.learning);
  }
  return sums;
}

void Workers::clear_counters(uint16_t port) {
  for (auto& worker : workers_) {
    bridge::PortCounterBlocks& blocks = worker->counters(port);
    blocks.ingress.clear();
    blocks.egress.clear();
    blocks.learning.clear();
  }
}

std::vector<WorkerInfo> Workers::info() const {
  std::vector<WorkerInfo> all;
  for (const auto& worker : workers_) all.push_back(worker->info());
  return all;
}

std::vector<uint16_t> Workers::check_notifiers() {
  std::vector<uint16_t> hung;
  for (auto& worker : workers_) {
    const uint32_t port = worker->check_notifier();
    if (port != Notifier::kNobody) hung.push_back(static_cast<uint16_t>(port));
  }
  return hung;
}

std::vector<bridge::Move> Workers::take_moves() {
  std::vector<bridge::Move> moves;
  bridge::Move move;
  for (auto& worker : workers_) {
    while (worker->moves().pop(move)) moves.push_back(move);
  }
  return moves;
}

}  // namespace datapath
