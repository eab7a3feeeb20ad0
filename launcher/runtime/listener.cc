#include "runtime/listener.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "process/error.h"

namespace launcher {

using boost::system::error_code;

Listener::Listener(boost::asio::io_context& loop, std::filesystem::path path, Handler handler)
    : path_(std::move(path)), handler_(std::move(handler)), acceptor_(loop), timer_(loop) {
  unlink(path_.c_str());
  try {
    acceptor_.open();
    acceptor_.bind(path_.string());
    chmod(path_.c_str(), 0600);
    acceptor_.listen();
  } catch (const boost::system::system_error& error) {
    throw LaunchError(path_.string() + ": " + error.code().message());
  }
  accept();
}

Listener::~Listener() {
  unlink(path_.c_str());
}

void Listener::accept() {
  acceptor_.async_accept(
      [this, alive = std::weak_ptr(alive_)](const error_code& error, Socket socket) {
        if (alive.expired() || error == boost::asio::error::operation_aborted) return;
        if (error) return pause();
        handler_(std::move(socket));
        accept();
      });
}

void Listener::pause() {
  timer_.expires_after(kPause);
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](const error_code& error) {
    if (!alive.expired() && !error) accept();
  });
}

}  // namespace launcher
