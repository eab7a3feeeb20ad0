#include "vhost/events_thread.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "vhost/unique_fd.h"

namespace vhost {
namespace {

constexpr std::string_view kThreadName = "vhost-events\n";  // in DPDK 22.11
constexpr int kSignal = SIGUSR1;

bool is_events_thread(const char* tid) {
  const std::string path = std::string("/proc/self/task/") + tid + "/comm";
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> name{};
  const ssize_t length = file ? read(file.get(), name.data(), name.size()) : 0;
  return length > 0 && std::string_view(name.data(), static_cast<size_t>(length)) == kThreadName;
}

// Without SA_RESTART: it is there to end a system call.
void install_handler() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigemptyset(&action.sa_mask);
  sigaction(kSignal, &action, nullptr);
}

}  // namespace

void wake_events_thread() noexcept {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir("/proc/self/task"), &closedir);
  if (tasks == nullptr) return;
  install_handler();
  while (const dirent* task = readdir(tasks.get())) {
    if (!is_events_thread(task->d_name)) continue;
    syscall(SYS_tgkill, getpid(), std::atoi(task->d_name), kSignal);
  }
}

}  // namespace vhost
