#include "drive/vmm_process.h"

#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <system_error>

namespace launcher {

namespace {

std::system_error failed(const std::string& what) {
  return std::system_error(errno, std::generic_category(), what);
}

[[noreturn]] void become(const std::vector<std::string>& command,
                         const VmmProcess::Options& options) {
  const int log = ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(log, STDERR_FILENO);
  ::close_range(3, ~0u, 0);
  bool able = true;
  if (options.user != 0) {
    able =
        ::setgroups(0, nullptr) == 0 && ::setgid(options.user) == 0 && ::setuid(options.user) == 0;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  if (able) ::execvp(words[0], words.data());
  std::perror(words[0]);
  ::_exit(127);
}

}  // namespace

VmmProcess::VmmProcess(boost::asio::io_context& loop, const std::vector<std::string>& command,
                       const Options& options, std::function<void(int)> ended)
    : terminal_(loop), process_(loop), ended_(std::move(ended)) {
  console_ = ::open(options.console.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (console_ < 0) throw failed(options.console.string());
  int master = -1;
  pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (pid_ < 0) throw failed("forkpty");
  if (pid_ == 0) become(command, options);
  terminal_.assign(master);
  process_.assign(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  copy_console();
  wait();
}

VmmProcess::~VmmProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(console_);
}

void VmmProcess::copy_console() {
  terminal_.async_read_some(boost::asio::buffer(buffer_), [this](auto error, size_t count) {
    if (error) return;  // the other side has gone
    if (::write(console_, buffer_, count) < 0) std::perror("console");
    copy_console();
  });
}

void VmmProcess::wait() {
  using Descriptor = boost::asio::posix::stream_descriptor;
  process_.async_wait(Descriptor::wait_read, [this](auto error) {
    if (error) return;
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    ended_(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  });
}

void VmmProcess::type(const std::string& text) {
  if (::write(terminal_.native_handle(), text.data(), text.size()) < 0) throw failed("terminal");
}

}  // namespace launcher
