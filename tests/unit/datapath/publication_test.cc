// Snapshots change under workers that use them, and none outlives its use nor goes too early.
#include "datapath/publication.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace datapath {
namespace {

constexpr unsigned kWorkers = 3;
constexpr uint16_t kSnapshots = 400;

// A snapshot in which every worker polls the same port; anything else is a torn or freed one.
std::unique_ptr<const Snapshot> snapshot_of(uint16_t port) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->polled.assign(kWorkers, std::vector<PolledPort>(kWorkers, PolledPort{port, {}}));
  return snapshot;
}

bool whole(const Snapshot& snapshot) {
  if (snapshot.polled.empty()) return true;  // the first one, before anything was published
  const uint16_t port = snapshot.polled.front().front().port;
  for (const auto& ports : snapshot.polled) {
    if (ports.size() != kWorkers) return false;
    for (const PolledPort& each : ports) {
      if (each.port != port) return false;
    }
  }
  return true;
}

class Readers {
 public:
  explicit Readers(Publication& publication) {
    for (unsigned worker = 0; worker < kWorkers; ++worker) {
      threads_.emplace_back([this, &publication, worker] { read(publication, worker); });
    }
  }
  ~Readers() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  unsigned torn() const { return torn_; }

 private:
  // As a worker does: turns, and now and then a sleep, in which it takes no part.
  void read(Publication& publication, unsigned worker) {
    publication.worker_starts(worker);
    for (uint64_t turn = 0; !stop_; ++turn) {
      if (!whole(*publication.current())) ++torn_;
      publication.turn_ended(worker);
      if (turn % 64 != 0) continue;
      publication.worker_offline(worker);
      std::this_thread::yield();
      publication.worker_online(worker);
    }
    publication.worker_ends(worker);
  }

  std::atomic<bool> stop_{false};
  std::atomic<unsigned> torn_{0};
  std::vector<std::thread> threads_;
};

TEST(Publication, EachWorkerSeesWholeSnapshotsOnly) {
  Publication publication(kWorkers);
  Readers readers(publication);
  for (uint16_t port = 0; port < kSnapshots; ++port) publication.publish(snapshot_of(port));
  EXPECT_EQ(0u, readers.torn());
  EXPECT_EQ(kSnapshots - 1, publication.current()->polled.front().front().port);
}

// What was in use when synchronize() began is out of use when it returns.
TEST(Publication, SynchronizeWaitsForTheTurnInProgress) {
  Publication publication(1);
  std::atomic<bool> in_turn{false};
  std::atomic<bool> ended{false};
  std::atomic<bool> go_on{false};
  std::thread worker([&] {
    publication.worker_starts(0);
    in_turn = true;
    while (!go_on) std::this_thread::yield();
    ended = true;
    publication.turn_ended(0);
    publication.worker_ends(0);
  });
  while (!in_turn) std::this_thread::yield();
  std::thread helper([&] { go_on = true; });
  publication.synchronize();
  EXPECT_TRUE(ended);
  helper.join();
  worker.join();
}

}  // namespace
}  // namespace datapath
