#include "runtime/landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "process/error.h"

namespace launcher {

int landlock_abi() {
  constexpr unsigned kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  constexpr long kCreateRuleset = 444;
  const long abi = syscall(kCreateRuleset, nullptr, 0, kVersion);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

// Root's umask may be one that keeps VMs' users out.
void make_vfio_directory() {
  constexpr const char* kDirectory = "/dev/vfio";
  if (mkdir(kDirectory, 0755) == 0) chmod(kDirectory, 0755);
}

bool use_landlock(const VmConfig& vm) {
  // QEMU has no such thing; its own sandbox is always on.
  const bool is_able = vm.vmm == VmmKind::cloud_hypervisor;
  const bool has_kernel = landlock_abi() >= kNeededLandlockAbi;
  if (vm.landlock == Wanted::on && !is_able) {
    throw LaunchError(vm.origin_of("landlock") + ": only cloud-hypervisor has it");
  }
  if (vm.landlock == Wanted::on && !has_kernel) {
    throw LaunchError(vm.origin_of("landlock") + ": this kernel has Landlock ABI " +
                      std::to_string(landlock_abi()) +
                      ", 3 is needed (Linux 6.2); write \"auto\" or \"off\"");
  }
  return vm.landlock != Wanted::off && is_able && has_kernel;
}

}  // namespace launcher
