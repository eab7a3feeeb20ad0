#include "runtime/switch_watch.h"

#include <boost/asio/buffer.hpp>

#include "process/error.h"

namespace launcher {

using boost::system::error_code;

void SwitchWatch::connect(const std::filesystem::path& control_socket) {
  error_code error;
  socket_.open({}, error);
  // Nobody waits here: without a place in its queue the switch counts as away.
  if (!error) socket_.native_non_blocking(true, error);
  if (!error) socket_.connect(control_socket.string(), error);
  if (!error) return read();
  socket_.close();
  throw LaunchError(control_socket.string() + ": " + error.message());
}

void SwitchWatch::read() {
  socket_.async_read_some(boost::asio::buffer(ignored_),
                          [this, alive = std::weak_ptr(alive_)](const error_code& error, size_t) {
                            if (alive.expired()) return;
                            if (!error) return read();
                            socket_.close();
                            on_end_();
                          });
}

}  // namespace launcher
