#include "process/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher {
namespace {

// What the child says before exec when a step fails.
struct Failure {
  int error;
  char step[32];
};

// Everything made ready before fork(): between fork and exec of a program with threads only
// async-signal-safe calls are allowed (fork(2)).
struct Plan {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const ChildOptions* options;
  int null;
  int report;
  pid_t parent;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// Descriptors from here on are none that a child is to have.
constexpr int kAbove = 1000;

[[noreturn]] void give_up(const Plan& plan, const char* step) {
  Failure failure{errno, {}};
  std::strncpy(failure.step, step, sizeof failure.step - 1);
  [[maybe_unused]] const ssize_t written = write(plan.report, &failure, sizeof failure);
  _exit(127);
}

void set_limits(const Plan& plan) {
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) give_up(plan, "RLIMIT_CORE");
  if (!plan.options->locked_memory) return;
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const rlim_t wanted = *plan.options->locked_memory;
  if (limit.rlim_cur >= wanted) return;
  limit = {wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 && plan.options->must_lock) {
    give_up(plan, "RLIMIT_MEMLOCK");
  }
}

void set_user(const Plan& plan) {
  if (!plan.options->user) return;
  const Credentials& user = *plan.options->user;
  if (setgroups(user.groups.size(), user.groups.data()) != 0) give_up(plan, "setgroups");
  if (setresgid(user.gid, user.gid, user.gid) != 0) give_up(plan, "setgid");
  if (setresuid(user.uid, user.uid, user.uid) != 0) give_up(plan, "setuid");
  if (user.uid != 0 && setuid(0) == 0) give_up(plan, "giving up root");
}

// Moves descriptors to their numbers. Sources are above all targets by then: nothing is overwritten
// before it was copied.
void set_descriptors(const Plan& plan) {
  const ChildOptions& options = *plan.options;
  const auto from = [&](int fd) { return fcntl(fd < 0 ? plan.null : fd, F_DUPFD_CLOEXEC, kAbove); };
  const int input = from(options.input), output = from(options.output), error = from(options.error);
  int copies[8] = {};
  size_t count = 0;
  for (const auto& [ours, theirs] : options.descriptors) copies[count++] = from(ours);
  // Before the wanted ones get their numbers: what lies between those is closed, too.
  constexpr unsigned kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC, linux/close_range.h
  if (syscall(SYS_close_range, 3u, ~0u, kCloseOnExec) != 0) give_up(plan, "close_range");
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) give_up(plan, "dup2");
  for (size_t index = 0; index < count; ++index) {
    if (dup2(copies[index], options.descriptors[index].second) < 0) give_up(plan, "dup2");
  }
}

// `program` was found by the launcher, whose directories (a checkout below /root) the user may have
// no way through. Root's descriptor stands for that way; the file itself must let the user run it.
[[noreturn]] void execute(const Plan& plan, int program) {
  execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
  if (errno == EACCES && program >= 0) {
    execveat(program, "", plan.arguments.data(), plan.environment.data(), AT_EMPTY_PATH);
  }
  give_up(plan, "exec");
}

[[noreturn]] void become_child(const Plan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);
  setsid();
  umask(0077);
  set_limits(plan);
  if (chdir(plan.options->directory.c_str()) != 0) give_up(plan, "chdir");
  const int found = open(plan.arguments[0], O_PATH | O_CLOEXEC);
  const int program = fcntl(found, F_DUPFD_CLOEXEC, kAbove);
  set_user(plan);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(plan, "PR_SET_PDEATHSIG");
  if (getppid() != plan.parent) _exit(127);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(plan, "PR_SET_NO_NEW_PRIVS");
  set_descriptors(plan);
  execute(plan, program);
}

[[noreturn]] void fail(const ChildOptions& options, const std::string& step, int error) {
  const std::string who =
      options.user ? " as user " + std::to_string(options.user->uid) : std::string();
  throw LaunchError("cannot run " + options.arguments.at(0) + who + ": " + step + ": " +
                    std::strerror(error));
}

}  // namespace

ChildProcess::ChildProcess(boost::asio::io_context& loop, const ChildOptions& options)
    : end_(loop) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail(options, "pipe", errno);
  const FileDescriptor listen(ends[0]);
  FileDescriptor report(ends[1]);
  const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Plan plan{pointers(options.arguments),
                  pointers(options.environment),
                  &options,
                  null.get(),
                  report.get(),
                  getpid()};
  pid_ = fork();
  if (pid_ < 0) fail(options, "fork", errno);
  if (pid_ == 0) become_child(plan);
  report.reset();
  Failure failure{};
  if (read(listen.get(), &failure, sizeof failure) == sizeof failure) {
    waitpid(pid_, nullptr, 0);
    fail(options, failure.step, failure.error);
  }
  running_ = true;
  watch();
}

ChildProcess::~ChildProcess() {
  if (!running_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void ChildProcess::watch() {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (fd < 0) throw LaunchError(std::string("pidfd_open: ") + std::strerror(errno));
  end_.assign(fd);
  end_.async_wait(end_.wait_read,
                  [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
                    if (!error && !alive.expired()) reap();
                  });
}

void ChildProcess::reap() {
  waitpid(pid_, &status_, 0);
  running_ = false;
  end_.close();
  if (on_end_) std::exchange(on_end_, nullptr)();
}

std::string ChildProcess::end_text() const {
  if (WIFSIGNALED(status_)) {
    const int number = WTERMSIG(status_);
    return "signal " + std::to_string(number) + " (" + strsignal(number) + ")";
  }
  return "exit status " + std::to_string(WEXITSTATUS(status_));
}

void ChildProcess::signal(int number) const {
  if (running_) kill(pid_, number);
}

}  // namespace launcher
