// A VM's serial console: what it says goes to a ring, a log file and every watcher; what a watcher
// types goes to the guest.
//
// Theory of operation. The console outlives the VM's process: over a restart watchers stay and the
// log goes on. Watchers connect to a unix socket, get what the ring holds and then everything new;
// one that falls kMostPending bytes behind is dropped. Bytes go through as they are, so socat(1) is
// a watcher as good as `launcher console`.
//
// Threads: the event loop's. Errors: LaunchError when the socket cannot be made.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "process/file_descriptor.h"
#include "runtime/listener.h"
#include "runtime/log_file.h"

namespace launcher {

class ConsoleWatcher;

class Console {
 public:
  static constexpr size_t kRing = 64 * 1024;
  static constexpr size_t kMostPending = 1024 * 1024;

  Console(boost::asio::io_context& loop, const std::filesystem::path& socket,
          const std::filesystem::path& log);
  ~Console();

  // The terminal of a process that begins; the text waited for must come from now on.
  void connect(FileDescriptor master, std::string awaited, std::function<void()> on_awaited);
  void disconnect();

  bool seen_awaited() const { return seen_; }
  std::string tail(size_t lines) const;
  void type(std::string_view bytes);

 private:
  friend class ConsoleWatcher;
  void read();
  void on_output(std::string_view bytes);
  void look_for_awaited(std::string_view bytes);

  boost::asio::io_context& loop_;
  LogFile log_;
  std::optional<boost::asio::posix::stream_descriptor> terminal_;
  std::string ring_;
  std::string line_;  // the end of what came, for a text that arrives in pieces
  std::string awaited_;
  std::function<void()> on_awaited_;
  bool seen_ = false;
  std::set<std::shared_ptr<ConsoleWatcher>> watchers_;
  std::array<char, 4096> input_{};
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  Listener listener_;
};

}  // namespace launcher
