// Two ways to hold events to a rate.
//
// Threads: one. The clock is passed in, so tests need none.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>

namespace vhost::door {

using Clock = std::chrono::steady_clock;

// At most `limit` events in any second: a sliding window.
class SlidingWindow {
 public:
  explicit SlidingWindow(int limit) : limit_(static_cast<std::size_t>(std::max(limit, 1))) {}

  void count(Clock::time_point now) {
    events_.push_back(now);
    if (events_.size() > limit_) events_.pop_front();
  }

  // The moment from which the next event is in order.
  Clock::time_point next() const {
    return events_.size() < limit_ ? Clock::time_point::min()
                                   : events_.front() + std::chrono::seconds(1);
  }

 private:
  std::size_t limit_;
  std::deque<Clock::time_point> events_;
};

// A burst, then a steady rate: a bucket of tokens, kept as the time at which it would be full.
class TokenBucket {
 public:
  TokenBucket(int burst, int per_second)
      : interval_(std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(1)) /
                  std::max(per_second, 1)),
        depth_(interval_ * std::max(burst, 1)) {}

  // Takes tokens; returns how long to wait before acting on them (zero: go ahead).
  Clock::duration take(Clock::time_point now, int tokens = 1) {
    full_at_ = std::max(full_at_, now) + interval_ * tokens;
    return std::max(full_at_ - now - depth_, Clock::duration::zero());
  }

 private:
  Clock::duration interval_;
  Clock::duration depth_;
  Clock::time_point full_at_ = Clock::time_point::min();
};

}  // namespace vhost::door
