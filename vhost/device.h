// A guest's device behind one port, as rte_vhost tells of it: memory, rings, when they may be used.
//
// Theory of operation. rte_vhost's callbacks come here. A ring runs while three things hold: the
// library called the device ready, the ring's state is 1, and no message that takes the ground from
// under it (memory table, ring addresses) is being handled. Whatever ends that stops the ring
// first and waits until no worker uses it; whatever restores it reads everything anew and checks
// the ring's areas against the memory table again. Our position in a ring is handed to the library
// whenever the ring stops and taken from it whenever the ring starts, so that GET_VRING_BASE
// answers right and a reconnected guest goes on where the library found its used index.
//
// Several pairs. The library calls the device ready with its first pair; the others are started
// and stopped one by one, by their state alone (a driver enables as many pairs as it has CPUs, and
// changes its mind). A ring that the workers are no longer to use is first taken from them and
// stopped when none of them uses it, so that no frame meets a ring that has just been stopped.
//
// While its VM migrates (VHOST_F_LOG_ALL) the rings log what they write. The library maps the log;
// it keeps one that was meant for an earlier migration, so here a log counts from the message that
// brings it until logging or the device ends. Rings that must log and have no log for all of the
// guest's memory stand still until it comes: QEMU sends it after everything else when a driver
// starts in the middle of a migration, and nothing may be written unlogged before.
//
// The eventfds are duplicated: the library closes its own before it tells that a ring stopped, and
// an epoll set holds on to a description that the VMM keeps open.
//
// Threads: the callbacks by rte_vhost's thread, or by the main thread inside unregister, never both
// at once. torn() and state() by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vhost/guest_memory.h"
#include "vhost/poller.h"
#include "vhost/receive.h"
#include "vhost/transmit.h"
#include "vhost/unique_fd.h"

namespace vhost {

class Device {
 public:
  struct Observer {
    std::function<void(uint64_t features)> attached;
    std::function<void()> detached;
    std::function<void(const std::string& reason)> faulted;
  };

  // REQUIRES: as many of one kind as of the other, kMaxQueuePairs at the most.
  Device(Poller& poller, uint16_t port, std::span<TransmitRing> transmit,
         std::span<ReceiveRing> receive, Observer observer);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // rte_vhost's callbacks.
  void opened(int vid);
  void ready();
  void gone();
  void ring_state(uint16_t queue, bool enabled);
  void before_message(uint32_t request);
  void after_message(uint32_t request);
  void closed();

  // The VMM truncated the memory it shared.
  bool torn() const noexcept;

 private:
  // Ring 2n receives, ring 2n + 1 transmits (virtio 1.2, 5.1.2).
  struct Queue {
    Ring* ring = nullptr;
    bool enabled = false;
    bool started = false;
    UniqueFd call;
    UniqueFd kick;
  };

  // A set of ring numbers.
  using Rings = uint32_t;
  static constexpr Rings kAll = ~Rings{0};
  static_assert(2 * kMaxQueuePairs <= 32);

  void start_all();
  std::string start(uint16_t number);
  void stop(Rings which);
  void finish(uint16_t number);
  void use_started();
  std::string name_of(uint16_t number) const;
  bool load_memory();
  bool load_log();
  void drop_memory();
  void note_log(uint32_t request);
  bool must_log() const noexcept { return (features_ & feature::bit(feature::kLogAll)) != 0; }

  Poller& poller_;
  const uint16_t port_;
  Observer observer_;
  int vid_ = -1;
  bool ready_ = false;
  bool paused_ = false;  // between before_message and after_message
  // A memory table was announced and not accepted: the library has none then, and must not be
  // asked.
  bool memory_lost_ = false;
  bool log_given_ = false;  // for the present migration
  uint64_t features_ = 0;
  const std::span<TransmitRing> transmit_;
  const std::span<ReceiveRing> receive_;
  std::vector<Queue> queues_;  // by ring number
  std::unique_ptr<GuestMemory> memory_;
  std::optional<DirtyLog> log_;
  // memory_guard handles: of the regions, and of the log behind them.
  static constexpr unsigned kLogGuard = GuestMemory::kMaxRegions;
  std::array<std::atomic<int>, GuestMemory::kMaxRegions + 1> guards_;
};

}  // namespace vhost
