// A unix socket at which others call: made at a path, and each connection handed over.
//
// Theory of operation. Without a descriptor left, accept(2) fails and the caller stays in the
// queue, so that the next try would fail at once, and the loop would do nothing else. After a
// failure the listener therefore waits for kPause before it tries again.
//
// Threads: the event loop's. Errors: LaunchError when the socket cannot be made.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace launcher {

class Listener {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  using Handler = std::function<void(Socket)>;

  static constexpr std::chrono::milliseconds kPause{100};

  // In place of what was at `path`; mode 0600. The handler must not throw.
  Listener(boost::asio::io_context& loop, std::filesystem::path path, Handler handler);
  // Takes the socket away; connections handed over stay.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void accept();
  void pause();

  std::filesystem::path path_;
  Handler handler_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace launcher
