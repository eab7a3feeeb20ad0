#include "vmm/qemu/kvm_trial.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace launcher::qemu {

namespace {

using Clock = std::chrono::steady_clock;

// Made ready before fork(): what follows it in the child may not allocate (fork(2)).
struct Trial {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const Credentials* user;
  int input;
  int null;
  pid_t parent;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

bool become(const Credentials& user) {
  return setgroups(user.groups.size(), user.groups.data()) == 0 &&
         setresgid(user.gid, user.gid, user.gid) == 0 &&
         setresuid(user.uid, user.uid, user.uid) == 0;
}

// As the VM's own process is made, but for what only a real machine needs.
[[noreturn]] void run(const Trial& trial) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_DFL);
  setsid();
  const rlimit no_core{0, 0};  // where a machine does not stand, QEMU may abort
  setrlimit(RLIMIT_CORE, &no_core);
  // Root's way to a program whose directories the user may not pass.
  const int program = open(trial.arguments[0], O_PATH | O_CLOEXEC);
  if (chdir("/") != 0 || (trial.user != nullptr && !become(*trial.user))) _exit(127);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != trial.parent) _exit(127);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(127);
  constexpr unsigned kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC, linux/close_range.h
  if (syscall(SYS_close_range, 3u, ~0u, kCloseOnExec) != 0) _exit(127);
  if (dup2(trial.input, 0) < 0 || dup2(trial.null, 1) < 0 || dup2(trial.null, 2) < 0) _exit(127);
  execve(trial.arguments[0], trial.arguments.data(), trial.environment.data());
  if (errno == EACCES && program >= 0) {
    execveat(program, "", trial.arguments.data(), trial.environment.data(), AT_EMPTY_PATH);
  }
  _exit(127);
}

// False when it still runs then.
bool ends_within(pid_t child, std::chrono::milliseconds limit) {
  pollfd end{static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0};
  if (end.fd < 0) return false;
  const auto deadline = Clock::now() + limit;
  int ready = -1;
  do {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    ready = poll(&end, 1, std::max(static_cast<int>(left.count()), 0));
  } while (ready < 0 && errno == EINTR);
  close(end.fd);
  return ready == 1;
}

bool succeeds(pid_t child, std::chrono::milliseconds limit) {
  if (!ends_within(child, limit)) kill(child, SIGKILL);
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

// A machine without a disk or a kernel that is told to quit as soon as it stands.
bool kvm_machine_stands(const std::filesystem::path& program,
                        const std::optional<Credentials>& user, std::chrono::milliseconds limit) {
  std::vector<std::string> words = {program.string(),
                                    "-no-user-config",
                                    "-nodefaults",
                                    "-display",
                                    "none",
                                    "-S",
                                    "-machine",
                                    "pc",
                                    "-accel",
                                    "kvm",
                                    "-cpu",
                                    "max",
                                    "-m",
                                    "16",
                                    "-monitor",
                                    "stdio"};
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  constexpr std::string_view kQuit = "quit\n";
  const bool told = write(ends[1], kQuit.data(), kQuit.size()) > 0;
  close(ends[1]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const Trial trial{pointers(words), pointers(environment), user ? &*user : nullptr, ends[0], null,
                    getpid()};
  const pid_t child = told && null >= 0 ? fork() : -1;
  if (child == 0) run(trial);
  close(ends[0]);
  if (null >= 0) close(null);
  return child > 0 && succeeds(child, limit);
}

}  // namespace launcher::qemu
