#include "vmm/control_socket.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "vmm/vmm.h"

namespace launcher {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds retry_interval{20};

bool not_there_yet(const boost::system::error_code& error) {
  return error == boost::system::errc::no_such_file_or_directory ||
         error == asio::error::connection_refused || error == asio::error::would_block ||
         error == asio::error::try_again;
}

VmmError cannot_connect(const std::filesystem::path& path, const std::string& reason) {
  return VmmError("cannot connect to its control socket " + path.string() + ": " + reason);
}

}  // namespace

UnixEndpoint endpoint_of(const std::filesystem::path& path) {
  try {
    return UnixEndpoint(path.string());
  } catch (const boost::system::system_error&) {
    throw VmmError(path.string() +
                   ": the path of a socket may have 107 bytes; use a shorter state "
                   "directory");
  }
}

asio::awaitable<UnixSocket> connect_when_it_listens(std::filesystem::path path,
                                                    std::chrono::milliseconds limit,
                                                    std::shared_ptr<const ProcessLife> life) {
  const auto executor = co_await asio::this_coro::executor;
  const UnixEndpoint endpoint = endpoint_of(path);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  asio::steady_timer timer(executor);
  for (;;) {
    UnixSocket socket(executor);
    boost::system::error_code error;
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return std::move(socket);
    if (!not_there_yet(error)) throw cannot_connect(path, error.message());
    if (life->ended) throw cannot_connect(path, "the process has ended");
    if (std::chrono::steady_clock::now() >= deadline) throw cannot_connect(path, error.message());
    timer.expires_after(retry_interval);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<void> wait_until_it_listens(std::filesystem::path path,
                                            std::chrono::milliseconds limit,
                                            std::shared_ptr<const ProcessLife> life) {
  const UnixSocket probe = co_await connect_when_it_listens(path, limit, life);
}

void require_port_socket(const std::filesystem::path& socket) {
  std::error_code error;
  if (std::filesystem::is_socket(socket, error)) return;
  throw VmmError("the switch has no socket " + socket.string() +
                 " for this interface: add the port first");
}

}  // namespace launcher
