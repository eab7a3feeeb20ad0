// Calls that block (a request to a switch, a helper program) run on a few threads of their own
// while the event loop goes on; one that may take minutes (a probe) has a thread to itself, so that
// it holds up nobody.
//
// Threads: both are awaited on the event loop, their function runs on a thread here and may
// touch only what it was given. Errors: what the function throws.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <type_traits>

#include "process/changes.h"

namespace launcher {

class Background {
 public:
  Background() : pool_(kThreads) {}
  ~Background() { pool_.join(); }

  template <typename Function>
  Task<std::invoke_result_t<Function>> run(Function function) {
    auto work = call(std::move(function));
    co_return co_await boost::asio::co_spawn(pool_, std::move(work), boost::asio::use_awaitable);
  }

  template <typename Function>
  Task<std::invoke_result_t<Function>> run_alone(Function function) {
    boost::asio::thread_pool own(1);
    auto work = call(std::move(function));
    co_return co_await boost::asio::co_spawn(own, std::move(work), boost::asio::use_awaitable);
  }

 private:
  static constexpr size_t kThreads = 4;

  template <typename Function>
  static Task<std::invoke_result_t<Function>> call(Function function) {
    co_return function();
  }

  boost::asio::thread_pool pool_;
};

}  // namespace launcher
