// Something that coroutines wait for: whoever changes a state calls notify(), whoever waits looks
// again. A waiter always has a deadline.
//
// Threads: the event loop's.
#pragma once

#include <chrono>
#include <set>

#include "process/task.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace launcher {

using Clock = std::chrono::steady_clock;
inline constexpr Clock::duration kForever = std::chrono::hours(24 * 365);

class Changes {
 public:
  explicit Changes(boost::asio::io_context& loop) : loop_(loop) {}
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  void notify() {
    for (boost::asio::steady_timer* timer : waiting_) timer->cancel();
  }

  // Returns at the next notify(), at the latest when the deadline is over.
  Task<> wait(Clock::time_point deadline) {
    boost::asio::steady_timer timer(loop_, deadline);
    waiting_.insert(&timer);
    boost::system::error_code ignored;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ignored);
    co_await timer.async_wait(token);
    waiting_.erase(&timer);
  }

  // Until `holds()` does; false when the deadline came first.
  template <typename Predicate>
  Task<bool> until(Predicate holds, Clock::time_point deadline) {
    while (!holds()) {
      if (Clock::now() >= deadline) co_return false;
      co_await wait(deadline);
    }
    co_return true;
  }

  boost::asio::io_context& loop() { return loop_; }

 private:
  boost::asio::io_context& loop_;
  std::set<boost::asio::steady_timer*> waiting_;
};

}  // namespace launcher
