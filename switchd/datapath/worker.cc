#include "datapath/worker.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "datapath/sleep_protocol.h"

namespace datapath {
namespace {

constexpr int kInterruptSignal = SIGUSR2;

void bump(std::atomic<uint64_t>& counter, uint64_t amount) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// Does nothing, and without SA_RESTART: it is there to end a system call.
void install_interrupt_handler() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigemptyset(&action.sa_mask);
  sigaction(kInterruptSignal, &action, nullptr);
}

void pin_to(int cpu) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  // The configuration has checked the CPU; one taken away since then costs speed, not frames.
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

void block_signals_of_main() noexcept {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, kInterruptSignal);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

Worker::Worker(const WorkerSettings& settings, Publication& publication, bridge::MacTable& table,
               const std::atomic<uint32_t>& now)
    : settings_(settings),
      publication_(publication),
      now_(now),
      context_(std::make_unique<TurnContext>(table, settings.flow_key)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      own_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_ || !own_event_ || !watch(own_event_.get())) {
    throw SwitchError(std::string("worker: nothing to wait with: ") + std::strerror(errno));
  }
}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  install_interrupt_handler();
  thread_ = std::thread([this] { run(); });
  running_.wait(false);
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

bool Worker::watch(int kick_fd) noexcept {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, kick_fd, &event) == 0;
}

void Worker::unwatch(int kick_fd) noexcept {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, kick_fd, nullptr);
}

void Worker::wake() noexcept {
  woken_.store(true, std::memory_order_seq_cst);
  constexpr uint64_t kOne = 1;
  // EAGAIN would mean that it has been woken 2^64 times: it is awake.
  [[maybe_unused]] const ssize_t written = write(own_event_.get(), &kOne, sizeof(kOne));
}

void Worker::announce(const bridge::Announcement& announcement) noexcept {
  context_->announcements.push(announcement);
  wake();
}

void Worker::run() noexcept {
  block_signals_of_main();
  pin_to(settings_.cpu);
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(settings_.cpu)).c_str());
  publication_.worker_starts(settings_.number);
  running_.store(true);
  running_.notify_all();
  loop();
  publication_.worker_ends(settings_.number);
}

void Worker::loop() noexcept {
  last_stamp_ = rte_rdtsc();
  last_frame_ = last_stamp_;
  while (!stop_.load(std::memory_order_acquire)) {
    const unsigned frames = one_turn();
    const uint64_t stamp = rte_rdtsc();
    account(frames, stamp - last_stamp_);
    last_stamp_ = stamp;
    if (frames != 0) {
      last_frame_ = stamp;
    } else if (settings_.poll == PollMode::adaptive &&
               stamp - last_frame_ >= settings_.idle_cycles) {
      rest();
    }
  }
}

unsigned Worker::one_turn() noexcept {
  context_->snapshot = publication_.current();
  const auto& polled = context_->snapshot->polled;
  unsigned frames = 0;
  if (settings_.number < polled.size()) {
    context_->ports = &polled[settings_.number];
    context_->now = now_.load(std::memory_order_relaxed);
    frames = settings_.turn(*context_);
  }
  publication_.turn_ended(settings_.number);
  return frames;
}

void Worker::account(unsigned frames, uint64_t cycles) noexcept {
  bump(counters_.turns, 1);
  if (frames == 0) return bump(counters_.idle_cycles, cycles);
  bump(counters_.busy_turns, 1);
  bump(counters_.busy_cycles, cycles);
  bump(counters_.frames, frames);
  counters_.delivered.store(context_->delivered, std::memory_order_relaxed);
}

template <typename Action>
void Worker::for_each_running_ring(Action action) noexcept {
  const Snapshot* snapshot = publication_.current();
  if (settings_.number >= snapshot->polled.size()) return;
  for (const PolledPort& port : snapshot->polled[settings_.number]) {
    for (unsigned i = 0; i < port.rings.count; ++i) {
      if (port.rings.ring[i]->running()) action(*port.rings.ring[i]);
    }
  }
}

// The steps of sleep_protocol.h.
struct Worker::Sleeper {
  Worker& worker;

  void clear_woken() noexcept { worker.woken_.store(false, std::memory_order_seq_cst); }
  void enable_kicks() noexcept {
    worker.for_each_running_ring([](vhost::TransmitRing& ring) { ring.enable_kicks(); });
  }
  void fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  bool told() noexcept {
    return worker.woken_.load(std::memory_order_seq_cst) ||
           worker.stop_.load(std::memory_order_seq_cst);
  }
  bool work_waiting() noexcept {
    bool work = !worker.context_->announcements.empty();
    worker.for_each_running_ring(
        [&work](vhost::TransmitRing& ring) { work |= ring.available() != 0; });
    return work;
  }
  void offline() noexcept { worker.publication_.worker_offline(worker.settings_.number); }
  void wait() noexcept {
    bump(worker.counters_.sleeps, 1);
    std::array<epoll_event, 8> events;
    epoll_wait(worker.epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
  }
  void online() noexcept { worker.publication_.worker_online(worker.settings_.number); }
  void disable_kicks() noexcept {
    worker.for_each_running_ring([](vhost::TransmitRing& ring) { ring.disable_kicks(); });
  }
  void turn_ended() noexcept { worker.publication_.turn_ended(worker.settings_.number); }
};

void Worker::rest() noexcept {
  Sleeper sleeper{*this};
  sleep_unless_work(sleeper);
  const uint64_t stamp = rte_rdtsc();
  bump(counters_.sleep_cycles, stamp - last_stamp_);
  last_stamp_ = stamp;
  last_frame_ = stamp;
}

uint32_t Worker::check_notifier() noexcept {
  Notifier& notifier = context_->notifier;
  const bool busy = notifier.notifying() != Notifier::kNobody;
  const uint64_t sequence = notifier.sequence();
  if (busy && watched_busy_ && sequence == watched_sequence_) interrupt_notifier();
  watched_busy_ = busy;
  watched_sequence_ = sequence;
  return notifier.take_hung();
}

void Worker::interrupt_notifier() noexcept {
  if (context_->notifier.notifying() == Notifier::kNobody || !thread_.joinable()) return;
  pthread_kill(thread_.native_handle(), kInterruptSignal);
}

WorkerInfo Worker::info() const {
  WorkerInfo info;
  info.cpu = settings_.cpu;
  info.turns = counters_.turns.load(std::memory_order_relaxed);
  info.busy_turns = counters_.busy_turns.load(std::memory_order_relaxed);
  info.busy_cycles = counters_.busy_cycles.load(std::memory_order_relaxed);
  info.idle_cycles = counters_.idle_cycles.load(std::memory_order_relaxed);
  info.sleep_cycles = counters_.sleep_cycles.load(std::memory_order_relaxed);
  info.sleeps = counters_.sleeps.load(std::memory_order_relaxed);
  info.frames = counters_.frames.load(std::memory_order_relaxed);
  info.delivered = counters_.delivered.load(std::memory_order_relaxed);
  info.notifications = context_->notifier.count();
  return info;
}

}  // namespace datapath
