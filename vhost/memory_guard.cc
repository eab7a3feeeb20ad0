#include "vhost/memory_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

namespace vhost::memory_guard {
namespace {

// 256 ports of 8 regions and a dirty log.
constexpr size_t kRegions = 2304;

struct Region {
  std::atomic<uintptr_t> start{0};  // 0: free
  std::atomic<uintptr_t> end{0};
  std::atomic<size_t> page_bytes{0};
  std::atomic<bool> torn{false};
};

std::array<Region, kRegions> regions;
std::atomic<size_t> regions_used{0};  // the handler looks no further
std::mutex writers;

bool mend(uintptr_t address) noexcept {
  const size_t used = regions_used.load(std::memory_order_acquire);
  for (size_t i = 0; i < used; ++i) {
    Region& region = regions[i];
    const uintptr_t start = region.start.load(std::memory_order_acquire);
    const uintptr_t end = region.end.load(std::memory_order_relaxed);
    if (start == 0 || address < start || address >= end) continue;
    const size_t page = region.page_bytes.load(std::memory_order_relaxed);
    // A file is truncated at its end: all from here on is gone.
    const uintptr_t from = std::max(start, address & ~(page - 1));
    void* mapped = mmap(reinterpret_cast<void*>(from), end - from, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    region.torn.store(true, std::memory_order_release);
    return mapped != MAP_FAILED;
  }
  return false;
}

void on_sigbus(int signal_number, siginfo_t* info, void*) {
  const int saved = errno;
  if (!mend(reinterpret_cast<uintptr_t>(info->si_addr))) {
    // Not ours: the access runs again under the default action and ends the process.
    struct sigaction fatal = {};
    fatal.sa_handler = SIG_DFL;
    sigaction(signal_number, &fatal, nullptr);
  }
  errno = saved;
}

}  // namespace

void install() {
  struct sigaction action = {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

int protect(void* start, size_t bytes, size_t page_bytes) noexcept {
  const std::lock_guard lock(writers);
  for (size_t i = 0; i < kRegions; ++i) {
    Region& region = regions[i];
    if (region.start.load(std::memory_order_relaxed) != 0) continue;
    const auto address = reinterpret_cast<uintptr_t>(start);
    region.end.store(address + bytes, std::memory_order_relaxed);
    region.page_bytes.store(page_bytes, std::memory_order_relaxed);
    region.torn.store(false, std::memory_order_relaxed);
    region.start.store(address, std::memory_order_release);
    if (i >= regions_used.load(std::memory_order_relaxed)) {
      regions_used.store(i + 1, std::memory_order_release);
    }
    return static_cast<int>(i);
  }
  return -1;
}

void release(int handle) noexcept {
  if (handle < 0) return;
  const std::lock_guard lock(writers);
  regions[static_cast<size_t>(handle)].start.store(0, std::memory_order_release);
}

bool torn(int handle) noexcept {
  if (handle < 0) return false;
  return regions[static_cast<size_t>(handle)].torn.load(std::memory_order_acquire);
}

}  // namespace vhost::memory_guard
