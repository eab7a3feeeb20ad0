#include "control/control_server.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "control/json_rpc.h"

namespace control {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

constexpr int kBacklog = 64;

int duplicate(int descriptor) {
  const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "control socket");
  return copy;
}

vhost::door::SocketFile make_socket(const std::filesystem::path& path,
                                    const vhost::SocketAccess& access) {
  try {
    return vhost::door::SocketFile(path, access, kBacklog);
  } catch (const vhost::door::SocketError& error) {
    throw vhost::door::SocketError(std::string("control ") + error.what());
  }
}

}  // namespace

ControlServer::ControlServer(asio::io_context& loop, const std::filesystem::path& path,
                             const vhost::SocketAccess& access, Session::Handler handler)
    : file_(make_socket(path, access)),
      acceptor_(loop, stream_protocol(), duplicate(file_.fd())),
      retry_timer_(loop),
      handler_(std::move(handler)) {}

ControlServer::~ControlServer() {
  while (!sessions_.empty()) (*sessions_.begin())->close();
}

void ControlServer::start() {
  accept();
}

void ControlServer::accept() {
  acceptor_.async_accept([this, alive = std::weak_ptr(alive_)](const error_code& error,
                                                               stream_protocol::socket socket) {
    if (alive.expired()) return;
    if (error == asio::error::operation_aborted) return;
    // Mostly a lack of descriptors, which passes when somebody goes.
    if (error) return retry_later();
    admit(std::move(socket));
    accept();
  });
}

void ControlServer::retry_later() {
  constexpr std::chrono::milliseconds kPause{100};
  retry_timer_.expires_after(kPause);
  retry_timer_.async_wait([this, alive = std::weak_ptr(alive_)](const error_code& error) {
    if (!error && !alive.expired()) accept();
  });
}

void ControlServer::admit(stream_protocol::socket socket) {
  const bool is_full = sessions_.size() >= kMaxClients;
  auto session = std::make_shared<Session>(
      std::move(socket), handler_,
      [this](const std::shared_ptr<Session>& closed) { sessions_.erase(closed); });
  if (is_full) {
    spdlog::warn("control: more than {} clients; one is turned away", kMaxClients);
    return session->dismiss(
        error_line(nullptr, kRefused, "the switch has as many clients as it can serve"));
  }
  sessions_.insert(session);
  session->start();
}

void ControlServer::publish(const nlohmann::json& event) {
  if (sessions_.empty()) return;
  const auto line = std::make_shared<const std::string>(event_line(event));
  // A copy: a session that is dropped leaves the set.
  const auto sessions = sessions_;
  for (const auto& session : sessions) session->publish(line);
}

}  // namespace control
