// Interrupts into guests, by their eventfds.
//
// The one system call of a busy worker, and one that a hostile VMM can make sleep: it shares the
// eventfd's O_NONBLOCK flag with us, and can bring its counter to the maximum. So a worker says
// which port it is notifying before it writes, and the main thread interrupts a write that does not
// end (watch in workers.h). The port is then marked, and its VMM sent away.
//
// Threads: notify() by one worker; the rest by the main thread.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace datapath {

class Notifier {
 public:
  static constexpr uint32_t kNobody = 0xffff'ffff;

  void notify(uint16_t port, int call_fd) noexcept {
    if (call_fd < 0) return;  // the driver polls
    constexpr uint64_t kOne = 1;
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    notifying_.store(port, std::memory_order_release);
    const ssize_t written = write(call_fd, &kOne, sizeof(kOne));
    notifying_.store(kNobody, std::memory_order_release);
    // EAGAIN: the counter is full, the guest has interrupts to spare.
    if (written < 0 && errno == EINTR) hung_.store(port, std::memory_order_release);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Which write is in progress now; the sequence tells one from the next.
  uint32_t notifying() const noexcept { return notifying_.load(std::memory_order_acquire); }
  uint64_t sequence() const noexcept { return sequence_.load(std::memory_order_relaxed); }
  // The port whose write had to be interrupted, once.
  uint32_t take_hung() noexcept { return hung_.exchange(kNobody, std::memory_order_acq_rel); }
  uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> notifying_{kNobody};
  std::atomic<uint32_t> hung_{kNobody};
  std::atomic<uint64_t> sequence_{0};
  std::atomic<uint64_t> count_{0};
};

}  // namespace datapath
