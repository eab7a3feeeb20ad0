// One client of a running launcher: JSON-RPC 2.0 (jsonrpc.org/specification), one object a line, in
// lock-step; while a request is carried out, each line of progress comes as a notification.
//
// Threads: the event loop's. Whatever a client does costs that client its connection.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "process/task.h"

namespace launcher {

class ControlSession : public std::enable_shared_from_this<ControlSession> {
 public:
  // Carries out a method; LaunchError and its like become the answer's error.
  using Handler = std::function<Task<nlohmann::json>(std::string method, nlohmann::json params)>;

  static constexpr size_t kMaxLine = 64 * 1024;
  static constexpr size_t kMostPending = 1024 * 1024;

  ControlSession(boost::asio::local::stream_protocol::socket socket, Handler handler);

  // Until the client goes.
  Task<> serve();
  void notify(const std::string& text);
  void close();

 private:
  Task<std::string> answer(std::string line);
  void send(std::string text);
  void write();

  boost::asio::local::stream_protocol::socket socket_;
  Handler handler_;
  std::string pending_;
  std::string writing_;
  bool busy_ = false;     // a request is being carried out
  bool follows_ = false;  // is told of progress until the end
};

}  // namespace launcher
