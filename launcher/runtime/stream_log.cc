#include "runtime/stream_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>

#include "process/error.h"

namespace launcher {

StreamLog::StreamLog(boost::asio::io_context& loop, LogFile& log) : log_(log), reader_(loop) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw LaunchError("no pipe for a log");
  writer_ = FileDescriptor(ends[1]);
  reader_.assign(ends[0]);
  reader_.non_blocking(true);
  read();
}

void StreamLog::read() {
  reader_.async_read_some(
      boost::asio::buffer(bytes_),
      [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error, size_t length) {
        if (error || alive.expired()) return;
        log_.write({bytes_.data(), length});
        read();
      });
}

void StreamLog::drain() {
  char bytes[4096];
  constexpr int kMostReads = 64;  // what a pipe holds; a child of the process may go on writing
  for (int count = 0; count < kMostReads; ++count) {
    const ssize_t length = ::read(reader_.native_handle(), bytes, sizeof bytes);
    if (length <= 0) return;
    log_.write({bytes, static_cast<size_t>(length)});
  }
}

}  // namespace launcher
