// How long to wait before a VM that ended is started again: twice as long each time, until it has
// run for a while.
//
// Threads: plain value.
#pragma once

#include <algorithm>
#include <chrono>

#include "topology/topology.h"

namespace launcher {

class Backoff {
 public:
  explicit Backoff(const RestartConfig& config) : config_(config), next_(config.first_delay) {}

  // The delay for a VM that ended after running for `ran`. One that ran as long as the longest
  // delay counts as healthy: it starts over with the first.
  std::chrono::milliseconds after(std::chrono::milliseconds ran) {
    if (ran >= config_.most_delay) next_ = config_.first_delay;
    const auto delay = next_;
    next_ = std::min(2 * next_, config_.most_delay);
    return delay;
  }

 private:
  RestartConfig config_;
  std::chrono::milliseconds next_;
};

inline bool restarts(RestartPolicy policy, bool succeeded) {
  return policy == RestartPolicy::always || (policy == RestartPolicy::on_failure && !succeeded);
}

}  // namespace launcher
