// A worker: a thread on a CPU of its own that polls the transmit rings given to it.
//
// Sleeping (adaptive polling; the steps' order is sleep_protocol.h). After `idle` without a frame a
// worker
//   1. asks every driver whose ring it polls for kicks,
//   2. passes a full fence,
//   3. looks at every ring once more, and whether it was told to wake,
//   4. goes offline for QSBR, so that nobody waits for a sleeper,
//   5. waits on the kick eventfds and its own.
// A driver publishes its index, passes a full fence, and then looks whether a kick is wanted
// (virtio 1.2, 2.7.13.4.1), so that either it sees step 1 or the worker sees the index in step 3.
// What changes otherwise (a ring started, a new snapshot, the end) writes the worker's own eventfd.
// Descriptors are watched edge-triggered and never read: a read could be made to block by the VMM
// that shares the eventfd, and an edge between step 3 and 5 is kept by epoll.
//
// Threads: start(), stop(), and what is const by the main thread; watch(), unwatch(), wake() by
// any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

#include "datapath/cpu_level.h"
#include "datapath/publication.h"
#include "datapath/switch_api.h"
#include "datapath/switch_settings.h"
#include "datapath/turn.h"
#include "vhost/unique_fd.h"

namespace datapath {

struct WorkerSettings {
  unsigned number = 0;
  int cpu = -1;
  PollMode poll = PollMode::adaptive;
  uint64_t idle_cycles = 0;  // TSC
  Turn turn = nullptr;
  uint64_t flow_key = 0;  // that of all workers (steering.h)
};

class Worker {
 public:
  // `now` is the second that the MAC table lives in, advanced by the main thread.
  Worker(const WorkerSettings& settings, Publication& publication, bridge::MacTable& table,
         const std::atomic<uint32_t>& now);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();  // returns when the thread takes part in QSBR; throws SwitchError
  void stop();

  // False: the kernel does not watch it.
  [[nodiscard]] bool watch(int kick_fd) noexcept;
  void unwatch(int kick_fd) noexcept;
  void wake() noexcept;
  // Has the frame sent that tells where the address lives; main thread. Not when 64 wait.
  void announce(const bridge::Announcement& announcement) noexcept;

  // Once every kWatchPeriod: a write into an eventfd that lasts since the last call is interrupted.
  // Returns the port whose VMM made one hang, or Notifier::kNobody.
  uint32_t check_notifier() noexcept;
  // A write into an eventfd in progress ends; one that does not hang ends by itself. Any thread.
  void interrupt_notifier() noexcept;

  int cpu() const noexcept { return settings_.cpu; }
  WorkerInfo info() const;
  bridge::PortCounterBlocks& counters(uint16_t port) noexcept { return context_->counters[port]; }
  const bridge::PortCounterBlocks& counters(uint16_t port) const noexcept {
    return context_->counters[port];
  }
  bridge::MoveLog& moves() noexcept { return context_->bridge.moves(); }

 private:
  // Written by the worker, once a turn; read by main.
  struct Counters {
    std::atomic<uint64_t> turns{0};
    std::atomic<uint64_t> busy_turns{0};
    std::atomic<uint64_t> busy_cycles{0};
    std::atomic<uint64_t> idle_cycles{0};
    std::atomic<uint64_t> sleep_cycles{0};
    std::atomic<uint64_t> sleeps{0};
    std::atomic<uint64_t> frames{0};
    std::atomic<uint64_t> delivered{0};
  };

  struct Sleeper;

  void run() noexcept;
  void loop() noexcept;
  unsigned one_turn() noexcept;
  void account(unsigned frames, uint64_t cycles) noexcept;
  void rest() noexcept;
  template <typename Action>
  void for_each_running_ring(Action action) noexcept;

  const WorkerSettings settings_;
  Publication& publication_;
  const std::atomic<uint32_t>& now_;
  std::unique_ptr<TurnContext> context_;
  Counters counters_;
  vhost::UniqueFd epoll_;
  vhost::UniqueFd own_event_;
  uint64_t last_stamp_ = 0;
  uint64_t last_frame_ = 0;
  std::atomic<bool> woken_{false};  // something changed: look again before sleeping
  std::atomic<bool> stop_{false};
  std::atomic<bool> running_{false};
  uint64_t watched_sequence_ = 0;
  bool watched_busy_ = false;
  std::thread thread_;
};

}  // namespace datapath
