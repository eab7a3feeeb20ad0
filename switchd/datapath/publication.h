// How a new snapshot reaches the workers, and how one knows that nobody uses the old: quiescent
// states (rte_rcu_qsbr). A worker reports one after each turn, and is offline while it sleeps.
//
// Threads: replace(), publish() and what waits on the main thread and rte_vhost's; the rest by
// workers. Waiting lasts as long as the longest turn in progress.
#pragma once

#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "datapath/snapshot.h"

// DPDK's half of this is not instrumented: the thread sanitizer has to be told what it orders.
#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace datapath {

inline void happens_before([[maybe_unused]] void* address) noexcept {
#ifdef __SANITIZE_THREAD__
  __tsan_release(address);
#endif
}
inline void happens_after([[maybe_unused]] void* address) noexcept {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(address);
#endif
}

class Publication {
 public:
  explicit Publication(unsigned workers) {
    const size_t bytes = rte_rcu_qsbr_get_memsize(workers);
    void* memory = std::aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    qsbr_.reset(static_cast<rte_rcu_qsbr*>(memory));
    rte_rcu_qsbr_init(qsbr_.get(), workers);
    publish(std::make_unique<const Snapshot>());
  }

  ~Publication() { delete current_.load(); }
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  const Snapshot* current() const noexcept { return current_.load(std::memory_order_acquire); }

  // What was current until now, and in use until a synchronize() that begins after this.
  [[nodiscard]] std::unique_ptr<const Snapshot> replace(std::unique_ptr<const Snapshot> next) {
    return std::unique_ptr<const Snapshot>(current_.exchange(next.release()));
  }
  // Returns when the old snapshot is out of use, and gone.
  void publish(std::unique_ptr<const Snapshot> next) {
    const auto old = replace(std::move(next));
    synchronize();
  }
  void synchronize() noexcept {
    const uint64_t since = begin();
    while (!passed(since)) rte_pause();
  }
  // The two halves of it: what was in use at begin() is not any more once this has passed.
  uint64_t begin() noexcept { return rte_rcu_qsbr_start(qsbr_.get()); }
  bool passed(uint64_t since) noexcept {
    if (rte_rcu_qsbr_check(qsbr_.get(), since, false) != 1) return false;
    happens_after(qsbr_.get());
    return true;
  }

  void worker_starts(unsigned worker) noexcept {
    rte_rcu_qsbr_thread_register(qsbr_.get(), worker);
    worker_online(worker);
  }
  void worker_ends(unsigned worker) noexcept {
    worker_offline(worker);
    rte_rcu_qsbr_thread_unregister(qsbr_.get(), worker);
  }
  void worker_online(unsigned worker) noexcept { rte_rcu_qsbr_thread_online(qsbr_.get(), worker); }
  void worker_offline(unsigned worker) noexcept {
    happens_before(qsbr_.get());
    rte_rcu_qsbr_thread_offline(qsbr_.get(), worker);
  }
  void turn_ended(unsigned worker) noexcept {
    happens_before(qsbr_.get());
    rte_rcu_qsbr_quiescent(qsbr_.get(), worker);
  }

 private:
  struct Free {
    void operator()(rte_rcu_qsbr* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<rte_rcu_qsbr, Free> qsbr_;
  std::atomic<const Snapshot*> current_{nullptr};
};

}  // namespace datapath
