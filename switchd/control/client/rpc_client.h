// A JSON-RPC 2.0 client of a control socket, switchd's or another program's, one call at a time.
//
// Threads: one thread an object. Errors: ConnectError when nobody answers there (path, cause and
// remedy in what()), RpcError when the switch refuses.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace client {

class ConnectError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RpcError : public std::runtime_error {
 public:
  RpcError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

class RpcClient {
 public:
  static constexpr std::chrono::seconds kTimeout{10};

  // `peer` is who answers there, for errors.
  explicit RpcClient(std::filesystem::path socket, std::string peer = "switchd");

  // For a peer whose calls take longer than kTimeout.
  void timeout(std::chrono::seconds timeout) { timeout_ = timeout; }
  // Told the params of notifications that come while a call is waited for; else they are dropped.
  void on_event(std::function<void(const nlohmann::json&)> handler) {
    on_event_ = std::move(handler);
  }

  // The result of `method`.
  nlohmann::json call(const std::string& method, nlohmann::json params = nlohmann::json::object());

  // The params of the next notification; nothing when none came in time.
  std::optional<nlohmann::json> next_event(std::chrono::milliseconds timeout);

 private:
  std::optional<nlohmann::json> read_object(std::chrono::milliseconds timeout);
  void write_line(const std::string& line);
  // Runs the operation that was just started; false when it took longer than `timeout`.
  bool run(std::chrono::milliseconds timeout);

  std::filesystem::path path_;
  std::string peer_;
  std::chrono::seconds timeout_ = kTimeout;
  std::function<void(const nlohmann::json&)> on_event_;
  boost::asio::io_context loop_;
  boost::asio::local::stream_protocol::socket socket_;
  std::string input_;
  int64_t last_id_ = 0;
};

}  // namespace client
