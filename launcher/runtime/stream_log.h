// What a process writes to a pipe, kept in a log that cannot grow without bound.
//
// Threads: the event loop's.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "process/file_descriptor.h"
#include "runtime/log_file.h"

namespace launcher {

class StreamLog {
 public:
  StreamLog(boost::asio::io_context& loop, LogFile& log);

  // The process's end; to be closed after it was started.
  FileDescriptor take_writer() { return std::move(writer_); }
  // What is in the pipe still, when the process has ended.
  void drain();

 private:
  void read();

  LogFile& log_;
  FileDescriptor writer_;
  boost::asio::posix::stream_descriptor reader_;
  std::array<char, 4096> bytes_{};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace launcher
