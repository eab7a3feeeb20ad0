// Look-ups take no lock while others learn, move, age and flush: a reader sees an address on a port
// where it was put, or not at all, and never a mixture. Meant for the thread sanitizer as well.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "addresses.h"
#include "bridge/mac_table.h"

namespace bridge::test {
namespace {

constexpr uint32_t kAddresses = 2000;
constexpr unsigned kRounds = 60;
constexpr uint16_t kLearners = 2;

// Where an address may be: on the first or the second port of its own pair.
constexpr uint16_t port_of(uint32_t n, unsigned which) {
  return static_cast<uint16_t>(n % 8 + 8 * which);
}

class MacTableThreadsTest : public ::testing::Test {
 protected:
  MacTableThreadsTest() {
    for (uint16_t port = 0; port < 16; ++port) {
      table_.set_port(port, {.isolated = false, .mac_limit = 100'000});
    }
  }

  void look_up_until_done() {
    uint32_t n = 0;
    while (!done_.load(std::memory_order_relaxed)) {
      const MacPlace place = table_.find(station(n));
      if (place.found()) {
        seen_.fetch_add(1, std::memory_order_relaxed);
        if (place.port() % 8 != n % 8) wrong_.fetch_add(1, std::memory_order_relaxed);
      }
      n = (n + 7) % kAddresses;
    }
  }

  // As its next frame would: until nobody else holds the table, who may have lost his CPU with it.
  LearnResult learn_in_the_end(uint32_t n, uint16_t port, uint32_t now) {
    LearnResult result = table_.learn(station(n), port, now);
    for (; result == LearnResult::busy; result = table_.learn(station(n), port, now)) {
      std::this_thread::yield();
    }
    return result;
  }

  // A worker: sees each address on both of its ports in turn.
  void learn(unsigned offset) {
    for (unsigned round = 0; round < kRounds; ++round) {
      for (uint32_t i = 0; i < kAddresses; ++i) {
        const uint32_t n = (i + offset) % kAddresses;
        const LearnResult result = learn_in_the_end(n, port_of(n, (round + i) % 2), round);
        counts_[static_cast<size_t>(result)].fetch_add(1, std::memory_order_relaxed);
      }
    }
    learners_.fetch_sub(1);
  }

  // The main thread, all the while.
  void change() {
    for (uint32_t turn = 0; learners_.load() != 0; ++turn) {
      table_.age(turn % kRounds, 3);
      const uint16_t port = turn % 16;
      if (turn % 3 == 0) table_.flush_learned(&port);
      const uint32_t n = turn % kAddresses;
      if (turn % 2 == 0) table_.add_static(station(n), port_of(n, 1));
      if (turn % 4 == 1) table_.remove(station(n - 1));
    }
  }

  // What is counted is what is there.
  void expect_consistent() {
    std::array<uint32_t, 16> learned{};
    uint32_t entries = 0;
    table_.for_each([&](const MacTable::Entry& entry) {
      ++entries;
      if (!entry.is_static) ++learned[entry.port];
    });
    EXPECT_EQ(entries, table_.size());
    for (uint16_t port = 0; port < 16; ++port) {
      EXPECT_EQ(learned[port], table_.learned_on(port)) << port;
    }
  }

  MacTable table_{4096};
  std::atomic<bool> done_{false};
  std::atomic<unsigned> learners_{kLearners};
  std::atomic<uint64_t> seen_{0};
  std::atomic<uint64_t> wrong_{0};
  std::array<std::atomic<uint64_t>, 16> counts_{};
};

TEST_F(MacTableThreadsTest, ReadersNeverSeeAMixture) {
  std::thread reader([this] { look_up_until_done(); });
  std::vector<std::thread> learners;
  for (unsigned i = 0; i < kLearners; ++i) learners.emplace_back([this, i] { learn(i * 777); });
  change();
  for (std::thread& learner : learners) learner.join();
  done_ = true;
  reader.join();
  EXPECT_EQ(0u, wrong_.load());
  EXPECT_GT(seen_.load(), 0u);
  EXPECT_GT(counts_[static_cast<size_t>(LearnResult::learned)].load(), uint64_t{kAddresses} / 2);
  EXPECT_GT(counts_[static_cast<size_t>(LearnResult::moved)].load(), 0u);
  expect_consistent();
}

}  // namespace
}  // namespace bridge::test
