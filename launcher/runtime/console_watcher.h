// One who watches a console: a connection to its socket.
//
// Threads: the event loop's. Lives as long as an operation is pending.
#pragma once

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace launcher {

class Console;

class ConsoleWatcher : public std::enable_shared_from_this<ConsoleWatcher> {
 public:
  ConsoleWatcher(boost::asio::local::stream_protocol::socket socket, Console& console);

  void start(std::string_view backlog);
  void show(std::string_view bytes);
  void close();

 private:
  void read();
  void write();
  void leave();

  boost::asio::local::stream_protocol::socket socket_;
  Console* console_;  // null once it left
  std::string pending_;
  std::string writing_;
  std::array<char, 1024> input_{};
};

}  // namespace launcher
