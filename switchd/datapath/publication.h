// How a new snapshot reaches the workers, and how one knows that nobody uses the old: quiescent
// states (rte_rcu_qsbr). A worker reports one after each turn, and is offline while it sleeps.
//
// Threads: publish() on the main thread; synchronize() on the main thread and rte_vhost's; the rest
// by workers. synchronize() waits for as long as the longest turn in progress.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

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

  const Snapshot* current() const noexcept { return current_.load(std::memory_order_acquire); }

  // Returns when the old snapshot is out of use, and gone.
  void publish(std::unique_ptr<const Snapshot> next) {
    current_.store(next.get(), std::memory_order_release);
    synchronize();
    owner_ = std::move(next);
  }
  void synchronize() noexcept {
    rte_rcu_qsbr_synchronize(qsbr_.get(), RTE_QSBR_THRID_INVALID);
    happens_after(qsbr_.get());
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
  std::unique_ptr<const Snapshot> owner_;
};

}  // namespace datapath
