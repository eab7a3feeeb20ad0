// Frames between the first two guests of a crowd, both ways, on a thread of their own.
//
// Patient (crowd.h): a switch has no reason to lose one of them, whatever happens on other ports.
// The crowd belongs to that thread until stop(). Threads: one, beside the one that it starts.
// Errors: a problem of the crowd.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "lib/crowd.h"

namespace testbed {

class BackgroundTraffic {
 public:
  // `pause`: between two bursts of eight frames each way.
  explicit BackgroundTraffic(Crowd& crowd, std::chrono::microseconds pause = {});
  ~BackgroundTraffic() { stop(); }
  BackgroundTraffic(const BackgroundTraffic&) = delete;
  BackgroundTraffic& operator=(const BackgroundTraffic&) = delete;

  // Until another burst, begun after the call, has arrived. Throws TestbedError when none does.
  void await_progress() const;
  void stop();

 private:
  void run();
  void burst(uint32_t size);

  Crowd& crowd_;
  std::chrono::microseconds pause_;
  std::atomic<uint64_t> bursts_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace testbed
