// A program that the launcher runs: as whom, with which limits and descriptors, and its end.
//
// Theory of operation. fork and exec by hand, since what matters here has an order that no library
// keeps: a session of its own, limits while still root, groups, group, user, then "die with the
// launcher" (PR_SET_PDEATHSIG, which a change of user would clear, prctl(2)), no new privileges by
// exec, every descriptor but the wanted ones closed. A failure on that way comes back through a
// pipe. The end is seen through a pidfd.
//
// Threads: the event loop's; the parent-death signal hangs on the thread that starts the child, so
// that must be the main thread. Errors: LaunchError.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "process/changes.h"
#include "process/credentials.h"

namespace launcher {

struct ChildOptions {
  std::vector<std::string> arguments;    // the program's path first
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory = "/";           // to run in
  std::optional<Credentials> user;       // to become; only root can
  int input = -1;                        // -1: /dev/null
  int output = -1;
  int error = -1;
  std::vector<std::pair<int, int>> descriptors;  // ours -> the child's number, 3 or more
  std::optional<uint64_t> locked_memory;         // RLIMIT_MEMLOCK, bytes
  bool must_lock = false;                        // else a limit that cannot be raised is left
};

class ChildProcess {
 public:
  ChildProcess(boost::asio::io_context& loop, const ChildOptions& options);
  // Ends the child if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Called once, from the event loop, never from within the constructor.
  void on_end(std::function<void()> handler) { on_end_ = std::move(handler); }

  pid_t pid() const { return pid_; }
  bool running() const { return running_; }
  int status() const { return status_; }  // as waitpid(2) gives it; once it ended
  bool succeeded() const { return !running_ && status_ == 0; }
  std::string end_text() const;  // "exit status 1", "signal 11 (Segmentation fault)"
  void signal(int number) const;

 private:
  void watch();
  void reap();

  pid_t pid_ = -1;
  bool running_ = false;
  int status_ = 0;
  boost::asio::posix::stream_descriptor end_;
  std::function<void()> on_end_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace launcher
