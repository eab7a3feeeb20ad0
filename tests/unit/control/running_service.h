// A service over a fake switch with its event loop on a thread of its own, and a plain client that
// can misbehave.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "control/service.h"
#include "fake_switch.h"
#include "temporary_directory.h"
#include "vhost/door/socket_file.h"

namespace control::testing {

inline constexpr std::chrono::seconds kDeadline{20};

class RunningService {
 public:
  RunningService() : RunningService([](Configuration&) {}) {}

  template <typename Change>
  explicit RunningService(const Change& change) {
    configuration.control_socket = directory / "control.sock";
    configuration.socket_dir = directory.path();
    configuration.state_file = directory / "ports.json";
    change(configuration);
    state.emplace(configuration.state_file);
    service.emplace(loop, configuration, *state, net);
    service->start();
    thread_ = std::thread([this] { loop.run(); });
  }

  ~RunningService() {
    loop.stop();
    thread_.join();
  }

  // Runs `action` where the service runs, and waits for it.
  template <typename Action>
  void on_loop(const Action& action) {
    std::promise<void> done;
    boost::asio::post(loop, [&] {
      action();
      done.set_value();
    });
    if (done.get_future().wait_for(kDeadline) != std::future_status::ready) std::abort();
  }

  std::string socket() const { return configuration.control_socket.string(); }

  TemporaryDirectory directory;
  boost::asio::io_context loop{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      loop.get_executor()};
  FakeSwitch net;
  Configuration configuration;
  std::optional<StateFile> state;
  std::optional<Service> service;

 private:
  std::thread thread_;
};

// Blocking with a deadline; nothing about it is polite.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(vhost::door::connect_unix(path)) {}

  // Sends what the other side takes; false once it is gone or takes nothing before the deadline.
  bool send(std::string_view data) {
    while (!data.empty()) {
      if (!wait_for(POLLOUT)) return false;
      const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent < 0) return false;
      data.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // One line without its newline; nothing at the end of the connection.
  std::optional<std::string> line() {
    while (input_.find('\n') == std::string::npos) {
      std::array<char, 65536> block{};
      if (!wait_for(POLLIN)) return std::nullopt;
      const ssize_t length = recv(fd_.get(), block.data(), block.size(), 0);
      if (length <= 0) return std::nullopt;
      input_.append(block.data(), static_cast<size_t>(length));
    }
    const size_t end = input_.find('\n');
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return line;
  }

  nlohmann::json object() {
    const auto text = line();
    if (!text) {
      ADD_FAILURE() << "the connection ended";
      return nlohmann::json::object();
    }
    return nlohmann::json::parse(*text);
  }

  nlohmann::json ask(const std::string& method,
                     const nlohmann::json& params = nlohmann::json::object()) {
    const nlohmann::json request = {
        {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
    send(request.dump() + "\n");
    return object();
  }

  void finish_sending() { shutdown(fd_.get(), SHUT_WR); }
  bool ended() { return !line().has_value(); }

 private:
  bool wait_for(short events) {
    pollfd poll_fd{fd_.get(), events, 0};
    const auto timeout = std::chrono::milliseconds(kDeadline).count();
    if (poll(&poll_fd, 1, static_cast<int>(timeout)) > 0) return true;
    ADD_FAILURE() << "nothing happened before the deadline";
    return false;
  }

  vhost::UniqueFd fd_;
  std::string input_;
};

}  // namespace control::testing
