// The control socket: a JSON-RPC server for any number of local clients up to kMaxClients.
//
// Who may connect is said by the socket's mode and group; whoever may, may do everything. The
// socket is made and taken over as the ports' are (vhost/door/socket_file.h), and is held from the
// constructor on, so that a second switch on the same path fails before it touches anything.
//
// Threads: the io_context's. Errors: the constructor throws vhost::door::SocketError.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>

#include "control/session.h"
#include "vhost/door/socket_file.h"
#include "vhost/socket_access.h"

namespace control {

class ControlServer {
 public:
  static constexpr size_t kMaxClients = 64;

  ControlServer(boost::asio::io_context& loop, const std::filesystem::path& path,
                const vhost::SocketAccess& access, Session::Handler handler);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  void start();
  void publish(const nlohmann::json& event);
  size_t clients() const { return sessions_.size(); }

 private:
  void accept();
  void admit(boost::asio::local::stream_protocol::socket socket);
  void retry_later();

  vhost::door::SocketFile file_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer retry_timer_;
  Session::Handler handler_;
  std::set<std::shared_ptr<Session>> sessions_;
  // Handlers already queued when we go find it expired.
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace control
