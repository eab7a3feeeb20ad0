#include "watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "restore.h"
#include "state_file.h"

namespace vfio_setup {
namespace {

constexpr std::chrono::milliseconds kLookAgain{500};
constexpr std::chrono::seconds kTryAgain{5};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// In the child: becomes the watcher, or tells the parent by errno why not.
[[noreturn]] void become_watcher(int failure, const std::string& address,
                                 const std::string& token) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
  std::array<std::string, 4> words{"vfio-setup", "watch", address, token};
  std::array<char*, 5> argv{words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                            nullptr};
  ::execv("/proc/self/exe", argv.data());
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(failure, &error, sizeof(error));
  ::_exit(1);
}

// Best effort: without cgroup v2, or in a container, there is nothing to leave.
void leave_login_session() {
  std::ofstream("/sys/fs/cgroup/cgroup.procs") << ::getpid() << std::flush;
}

void reset_signals() {
  ::signal(SIGHUP, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

std::optional<PendingConfirm> pending(State& state, const std::string& address,
                                      const std::string& token) {
  const Binding* binding = state.find(address);
  if (binding == nullptr || !binding->confirm || binding->confirm->token != token) return {};
  return binding->confirm;
}

std::optional<PendingConfirm> pending(const Paths& paths, const std::string& address,
                                      const std::string& token) {
  State state = StateFile(paths).load();
  return pending(state, address, token);
}

// True when the matter is settled, whether or not the record could be made to say so.
bool give_back(const Paths& paths, const std::string& address, const std::string& token) {
  try {
    const StateLock lock(paths);
    State state = StateFile(paths).load();
    if (!pending(state, address, token)) return true;
    const Restored result =
        restore_binding(paths, std::move(state), address, WhenHeld::end_holders);
    for (const std::string& warning : result.warnings) {
      ::syslog(LOG_WARNING, "%s", warning.c_str());
    }
    for (const std::string& failure : result.failures) ::syslog(LOG_ERR, "%s", failure.c_str());
    if (!result.failures.empty()) return false;
    ::syslog(LOG_NOTICE, "%s was not confirmed in time and was given back", address.c_str());
    return true;
  } catch (const std::exception& error) {
    ::syslog(LOG_ERR, "%s is not given back yet: %s", address.c_str(), error.what());
    return false;
  }
}

int watch(const Paths& paths, const std::string& address, const std::string& token) {
  ::openlog("vfio-setup", LOG_PID, LOG_DAEMON);
  while (const auto wait = pending(paths, address, token)) {
    if (boottime_seconds() < wait->deadline) {
      std::this_thread::sleep_for(kLookAgain);
    } else if (give_back(paths, address, token)) {
      break;
    } else {
      std::this_thread::sleep_for(kTryAgain);
    }
  }
  return EXIT_SUCCESS;
}

}  // namespace

void start_watcher(const std::string& address, const std::string& token) {
  std::array<int, 2> failure{};
  if (::pipe2(failure.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) become_watcher(failure[1], address, token);
  ::close(failure[1]);
  ::waitpid(child, nullptr, 0);
  int error = 0;
  // End of file: the new program runs. All other descriptors of ours are close-on-exec.
  const ssize_t told = ::read(failure[0], &error, sizeof(error));
  ::close(failure[0]);
  if (told == 0) return;
  errno = error;
  fail("cannot start the process that gives the device back");
}

int run_watcher(const Paths& paths, const std::string& address, const std::string& token) {
  reset_signals();
  leave_login_session();
  if (::chdir("/") != 0) return EXIT_FAILURE;
  for (;;) {
    const pid_t worker = ::fork();
    if (worker == 0) return watch(paths, address, token);
    int status = 0;
    if (worker < 0 || ::waitpid(worker, &status, 0) != worker) return EXIT_FAILURE;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
  }
}

}  // namespace vfio_setup
