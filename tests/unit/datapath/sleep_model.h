// A model of one worker that goes to sleep, one driver that makes chains available, and a main
// thread that starts the ring, publishes snapshots or ends the worker. Every order of their steps
// is tried, with each CPU's store buffer (x86-TSO: a store is seen by others later, in order; a
// fence or an atomic exchange waits until the own buffer is empty).
//
// The worker runs datapath/sleep_protocol.h itself: before each of its steps the others do whatever
// the explorer chooses. Explored is depth first, by running again with another choice; states that
// were seen before are left.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "datapath/sleep_protocol.h"

namespace datapath::test {

// What is left out of the protocol, to see that the checker misses it.
enum class Without {
  nothing,
  worker_fence,
  driver_fence,
  enable_kicks,
  second_look,
  own_event,
  wake_after_start,
  watch,
  offline,
  online,
};

struct Scenario {
  bool event_idx = true;
  unsigned chains = 2;     // that the driver makes available, one at a time
  bool starts = false;     // the ring is not running at first
  unsigned publishes = 0;  // snapshots, by the main thread
  bool stops = false;
  Without without = Without::nothing;
};

class Model {
 public:
  explicit Model(const Scenario& scenario) : scenario_(scenario) {}

  // Tries everything; what went wrong first, or "".
  std::string check() {
    do {
      execute();
    } while (violation_.empty() && next_trace());
    return violation_;
  }
  size_t states() const { return seen_.size(); }
  size_t sleeps() const { return sleeps_; }

  // --- The worker's side of sleep_protocol.h.
  void clear_woken() {
    step(1);
    drain_all(kWorker);  // an atomic exchange
    memory_[kWoken] = 0;
  }
  void enable_kicks() {
    if (!omitted(Without::enable_kicks)) on_running_ring(2, [this] { ask_for_kicks(); });
  }
  void fence() {
    step(3);
    if (!omitted(Without::worker_fence)) drain_all(kWorker);
  }
  bool told() {
    step(4);
    return load(kWorker, kWoken) != 0 || load(kWorker, kStop) != 0;
  }
  bool work_waiting() {
    bool work = false;
    if (omitted(Without::second_look)) return false;
    on_running_ring(5, [&] { work = load(kWorker, kAvail) != consumed_; });
    return work;
  }
  void offline() {
    step(6);
    if (!omitted(Without::offline)) store(kWorker, kSeen, kOffline);
  }
  void wait();
  void online() {
    step(8);
    if (omitted(Without::online)) return;
    store(kWorker, kSeen, load(kWorker, kToken));
    drain_all(kWorker);
  }
  void disable_kicks() {
    on_running_ring(9, [this] {
      if (!scenario_.event_idx) store(kWorker, kEvent, kNoKicks);
    });
  }
  void turn_ended() {
    step(10);
    store(kWorker, kSeen, load(kWorker, kToken));
  }

 private:
  enum Cpu : uint8_t { kWorker, kDriver, kMain, kCpus };
  // kEvent: the available event, or the used ring's flags. kSeen, kToken: QSBR.
  enum Variable : uint8_t {
    kAvail,
    kEvent,
    kWoken,
    kRunning,
    kCurrent,
    kStop,
    kSeen,
    kToken,
    kVariables
  };
  static constexpr uint8_t kNoKicks = 1;
  static constexpr uint8_t kOffline = 0;
  struct Store {
    Variable variable;
    uint8_t value;
  };
  struct Choice {
    unsigned taken;
    unsigned options;
  };
  struct Finished {};  // this execution is over, or was seen before

  bool omitted(Without step) const { return scenario_.without == step; }

  void execute();
  void reset();
  void turn(uint8_t at);

  void step(uint8_t at);
  // Takes the snapshot, later looks at the ring in it, later uses that.
  template <typename Action>
  void on_running_ring(uint8_t at, Action action) {
    step(at);
    held_ = load(kWorker, kCurrent);
    step(static_cast<uint8_t>(at + 100));
    if (held_ <= freed_) fail("a snapshot is used that has been freed");
    const bool running = load(kWorker, kRunning) != 0;
    held_ = 0;
    if (!running) return;
    step(static_cast<uint8_t>(at + 200));
    action();
  }
  void ask_for_kicks() { store(kWorker, kEvent, scenario_.event_idx ? consumed_ : uint8_t{0}); }

  uint8_t load(Cpu cpu, Variable variable) const;
  void store(Cpu cpu, Variable variable, uint8_t value) {
    buffers_[cpu].push_back({variable, value});
  }
  void drain_one(Cpu cpu);
  void drain_all(Cpu cpu) {
    while (!buffers_[cpu].empty()) drain_one(cpu);
  }

  // What the others could do now; doing one of it.
  std::vector<uint8_t> actions() const;
  void act(uint8_t action);
  bool main_may_step() const;
  void driver_step();
  void main_step();
  void main_wakes();
  void plan_main();

  unsigned choose(unsigned options);
  bool next_trace();
  std::string state() const;
  void fail(const std::string& what) {
    violation_ = what;
    throw Finished{};
  }

  enum class Main : uint8_t {
    start,
    watch,
    set_woken,
    ring_event,
    publish,
    synchronize,
    free_old,
    stop
  };

  const Scenario scenario_;
  // One execution.
  std::array<uint8_t, kVariables> memory_{};
  std::array<std::deque<Store>, kCpus> buffers_;
  uint8_t worker_at_ = 0;
  uint8_t consumed_ = 0;
  uint8_t held_ = 0;  // snapshot that the worker uses just now
  uint8_t driver_at_ = 0;
  uint8_t published_ = 0;   // chains, as the driver counts them
  std::vector<Main> plan_;  // of the main thread
  uint8_t main_at_ = 0;
  uint8_t token_ = 0;  // that synchronize() waits for
  uint8_t freed_ = 0;  // snapshots up to this one are gone
  bool watched_ = false;
  bool kicked_ = false;  // the kick descriptor was written
  bool edge_ = false;    // epoll has something
  // The exploration.
  std::vector<Choice> trace_;
  size_t depth_ = 0;
  std::set<std::string> seen_;
  size_t sleeps_ = 0;
  std::string violation_;
};

}  // namespace datapath::test
