#include "bench/cpu.h"

#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "bench/error.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kTrips = 5'000;
constexpr std::chrono::milliseconds kLongest{300};

struct Line {
  alignas(64) std::atomic<uint32_t> value{0};
};

// Answers each odd value by the next even one.
void answer(Line& line, const std::atomic<bool>& stop) {
  uint32_t expected = 1;
  while (!stop.load(std::memory_order_relaxed)) {
    if (line.value.load(std::memory_order_acquire) != expected) continue;
    line.value.store(expected + 1, std::memory_order_release);
    expected += 2;
  }
}

std::vector<uint64_t> ask(Line& line) {
  std::vector<uint64_t> trips;
  trips.reserve(kTrips);
  const auto deadline = Clock::now() + kLongest;
  for (uint32_t i = 1; trips.size() < kTrips; i += 2) {
    const uint64_t start = tsc();
    line.value.store(i, std::memory_order_release);
    while (line.value.load(std::memory_order_acquire) != i + 1) {
      if (tsc() - start > 1'000'000 && Clock::now() > deadline) return trips;
    }
    trips.push_back(tsc() - start);
  }
  return trips;
}

}  // namespace

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    throw BenchError("cannot run on CPU " + std::to_string(cpu) + ": " + std::strerror(errno));
  }
}

uint64_t tsc() {
  return __rdtsc();
}

double tsc_hz() {
  static const double hz = [] {
    const auto start = Clock::now();
    const uint64_t first = tsc();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const uint64_t ticks = tsc() - first;
    return static_cast<double>(ticks) / std::chrono::duration<double>(Clock::now() - start).count();
  }();
  return hz;
}

std::optional<double> round_trip_ns(int first, int second) {
  if (first == second) return std::nullopt;
  Line line;
  std::atomic<bool> stop{false};
  std::vector<uint64_t> trips;
  std::thread other([&] {
    pin_to(second);
    answer(line, stop);
  });
  std::thread one([&] {
    pin_to(first);
    trips = ask(line);
  });
  one.join();
  stop = true;
  other.join();
  if (trips.empty()) return std::nullopt;
  const auto middle = trips.begin() + static_cast<std::ptrdiff_t>(trips.size() / 2);
  std::nth_element(trips.begin(), middle, trips.end());
  return static_cast<double>(*middle) / tsc_hz() * 1e9;
}

}  // namespace bench
