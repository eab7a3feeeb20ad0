// What coroutines wait for and the reader of a VMM's messages tells of: an answer, a device gone.
//
//   auto gone = expectations.expect("net1");   // before the request: the event may be fast
//   co_await ...request...
//   if (co_await expectations.wait(gone, 30s)) ...
//
// Threads: one, the event loop's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace launcher {

class Expectations {
 public:
  class Ticket;

  explicit Expectations(boost::asio::io_context& loop) : loop_(loop) {}

  std::shared_ptr<Ticket> expect(const std::string& what);

  // The message that was met with; nothing when the time is over or nothing more can come.
  boost::asio::awaitable<std::optional<nlohmann::json>> wait(std::shared_ptr<Ticket> ticket,
                                                             std::chrono::milliseconds limit);

  // Whether anybody waited for it.
  bool meet(const std::string& what, const nlohmann::json& message);

  // Nothing more can come: whoever waits goes on without.
  void end();
  bool ended() const { return ended_; }

 private:
  boost::asio::io_context& loop_;
  std::multimap<std::string, std::weak_ptr<Ticket>> tickets_;
  bool ended_ = false;
};

class Expectations::Ticket {
 public:
  explicit Ticket(boost::asio::io_context& loop)
      : timer_(loop, boost::asio::steady_timer::time_point::max()) {}

 private:
  friend class Expectations;
  boost::asio::steady_timer timer_;
  std::optional<nlohmann::json> message_;
};

}  // namespace launcher
