#include "control/cpus.h"

#include <sched.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace control {
namespace {

struct CpuSetDeleter {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

// More than the kernel supports today (CONFIG_NR_CPUS is 8192 at the most on x86).
constexpr int kMostCpus = 8192;

}  // namespace

std::vector<int> allowed_cpus() {
  const std::unique_ptr<cpu_set_t, CpuSetDeleter> set(CPU_ALLOC(kMostCpus));
  const size_t size = CPU_ALLOC_SIZE(kMostCpus);
  CPU_ZERO_S(size, set.get());
  if (sched_getaffinity(0, size, set.get()) != 0) {
    throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
  }
  std::vector<int> cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(static_cast<size_t>(cpu), size, set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

std::string describe_cpus(const std::vector<int>& cpus) {
  std::string text;
  for (size_t first = 0; first < cpus.size();) {
    size_t last = first;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[first]);
    if (last > first) text += '-' + std::to_string(cpus[last]);
    first = last + 1;
  }
  return text;
}

}  // namespace control
