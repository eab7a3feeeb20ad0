#include "datapath/workers.h"

#include <algorithm>

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
    : publication_(static_cast<unsigned>(settings.workers.size())),
      polled_(settings.workers.size()) {
  for (auto& worker : worker_of_) worker = kNobody;
  constexpr uint64_t kMicroseconds = 1'000'000;
  const auto idle = static_cast<uint64_t>(settings.idle.count()) * tsc_hz / kMicroseconds;
  for (const int cpu : settings.workers) {
    const WorkerSettings one = {static_cast<unsigned>(workers_.size()), cpu, settings.poll, idle,
                                level.turn};
    workers_.push_back(std::make_unique<Worker>(one, publication_, table, now));
  }
  for (auto& worker : workers_) worker->start();
}

Workers::~Workers() {
  for (auto& worker : workers_) worker->stop();
}

void Workers::assign(uint16_t port) {
  const auto fewest = std::min_element(
      polled_.begin(), polled_.end(),
      [](const auto& left, const auto& right) { return left.size() < right.size(); });
  fewest->push_back(port);
  worker_of_[port] = static_cast<uint16_t>(fewest - polled_.begin());
}

void Workers::release(uint16_t port) {
  auto& ports = polled_[worker_of_[port]];
  ports.erase(std::remove(ports.begin(), ports.end(), port), ports.end());
}

int Workers::cpu_of(uint16_t port) const {
  return workers_[worker_of_[port]]->cpu();
}

void Workers::publish(std::unique_ptr<Snapshot> next) {
  next->polled = polled_;
  publication_.publish(std::move(next));
  for (auto& worker : workers_) worker->wake();
}

bool Workers::ring_started(uint16_t port, int kick_fd) noexcept {
  Worker& worker = *workers_[worker_of_[port]];
  const bool watched = kick_fd < 0 || worker.watch(kick_fd);
  worker.wake();
  return watched;
}

void Workers::ring_stopped(uint16_t port, int kick_fd) noexcept {
  if (kick_fd >= 0) workers_[worker_of_[port]]->unwatch(kick_fd);
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
