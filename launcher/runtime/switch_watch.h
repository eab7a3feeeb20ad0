// Tells when a switch that is not ours goes away: a connection to its control socket, held open and
// read until its end.
//
// Threads: the event loop's. Errors: LaunchError when nobody listens there.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <functional>
#include <memory>

namespace launcher {

class SwitchWatch {
 public:
  SwitchWatch(boost::asio::io_context& loop, std::function<void()> on_end)
      : on_end_(std::move(on_end)), socket_(loop) {}

  void connect(const std::filesystem::path& control_socket);
  bool connected() const { return socket_.is_open(); }

 private:
  void read();

  std::function<void()> on_end_;
  boost::asio::local::stream_protocol::socket socket_;
  std::array<char, 512> ignored_{};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace launcher
