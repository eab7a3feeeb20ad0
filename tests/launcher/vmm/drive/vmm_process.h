// A VMM's process as the launcher starts it: on a terminal of its own, as an ordinary user. What
// comes out of the terminal goes to a file.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace launcher {

class VmmProcess {
 public:
  struct Options {
    std::filesystem::path console;  // file that gets the terminal's output
    std::filesystem::path log;      // and the one for standard error
    uid_t user = 0;                 // 0: the caller's; else this user, and this group
  };

  // `ended` gets the exit status, or minus the signal.
  VmmProcess(boost::asio::io_context& loop, const std::vector<std::string>& command,
             const Options& options, std::function<void(int)> ended);
  ~VmmProcess();

  void type(const std::string& text);  // into the terminal

 private:
  void copy_console();
  void wait();

  boost::asio::posix::stream_descriptor terminal_;
  boost::asio::posix::stream_descriptor process_;  // a pidfd: readable at the end
  pid_t pid_ = -1;
  int console_ = -1;
  std::function<void(int)> ended_;
  char buffer_[4096];
};

}  // namespace launcher
