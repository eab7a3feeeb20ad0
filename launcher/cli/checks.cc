#include "cli/checks.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "runtime/landlock.h"
#include "runtime/programs.h"
#include "runtime/state_directory.h"
#include "topology/dependencies.h"
#include "topology/error.h"
#include "topology/topology_check.h"
#include "topology/topology_file.h"
#include "vmm/vmm.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

bool any(const Topology& topology, bool (*holds)(const VmConfig&)) {
  return std::any_of(topology.vms.begin(), topology.vms.end(), holds);
}

void warn_of_kvm(const Topology& topology, Texts& texts) {
  if (access("/dev/kvm", R_OK | W_OK) != 0) {
    const bool needed =
        any(topology, [](const VmConfig& vm) { return vm.vmm == VmmKind::cloud_hypervisor; });
    texts.push_back(std::string("no KVM: /dev/kvm cannot be opened; ") +
                    (needed ? "cloud-hypervisor needs it" : "QEMU emulates, which is slow"));
    return;
  }
  struct stat facts {};
  constexpr mode_t kOthersMay = S_IROTH | S_IWOTH, kGroupMay = S_IRGRP | S_IWGRP;
  if (geteuid() != 0 || stat("/dev/kvm", &facts) != 0) return;
  const bool by_group = facts.st_gid != 0 && (facts.st_mode & kGroupMay) == kGroupMay;
  if (by_group || (facts.st_mode & kOthersMay) == kOthersMay) return;
  texts.push_back(
      "/dev/kvm is open to root alone, and no VMM runs as root: chgrp kvm /dev/kvm && "
      "chmod 660 /dev/kvm (udev does that where it runs)");
}

void warn_of_landlock(const Topology& topology, Texts& texts) {
  const bool wanted = any(topology, [](const VmConfig& vm) {
    return vm.vmm == VmmKind::cloud_hypervisor && vm.landlock == Wanted::automatic;
  });
  if (!wanted || landlock_abi() >= kNeededLandlockAbi) return;
  texts.push_back("Landlock is off: this kernel has ABI " + std::to_string(landlock_abi()) +
                  ", 3 is needed (Linux 6.2)");
}

void warn_of_locked_memory(const Topology& topology, Texts& texts) {
  if (geteuid() == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  for (const VmConfig& vm : topology.vms) {
    if (vm.devices.empty() || vm.memory < limit.rlim_max) continue;
    texts.push_back(vm.name + ": RLIMIT_MEMLOCK is " + std::to_string(limit.rlim_max >> 20) +
                    " MB; a VM with devices locks all its memory: raise it (limits.conf(5)) or "
                    "start as root");
  }
}

void warn_of_programs(const Topology& topology, Texts& texts) {
  for (const VmConfig& vm : topology.vms) {
    try {
      find_program(find_vmm(vm.vmm).program, vm.vmm_program, vm.origin_of("vmm_program"));
    } catch (const std::exception& error) {
      const std::string text = error.what();
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
    }
  }
}

void warn_of_devices(const Topology& topology, Texts& texts) {
  for (const VmConfig& vm : topology.vms) {
    for (const std::string& device : vm.devices) {
      if (device == "auto" || fs::exists("/sys/bus/pci/devices/" + device)) continue;
      throw TopologyError(vm.origin_of("devices"),
                          "there is no PCI device " + device + "; `vfio-setup list` names NICs");
    }
    if (vm.devices.empty() || fs::exists("/dev/vfio/vfio")) continue;
    texts.push_back(vm.name + ": no VFIO here; `vfio-setup check` says what is missing");
  }
}

void warn_of_displaced(const Topology& topology, Texts& texts) {
  for (const VmConfig& vm : topology.vms) {
    for (const NetConfig& net : vm.nets) {
      if (!net.displaced) continue;
      texts.push_back(net.origin + ": VM " + vm.name + " has MAC " + net.mac +
                      " because another has the one of its name; a change of the file may change "
                      "it: write mac = \"" +
                      net.mac + "\" to keep it");
    }
  }
}

}  // namespace

std::vector<std::string> warnings(const Topology& topology) {
  Texts texts;
  warn_of_programs(topology, texts);
  warn_of_kvm(topology, texts);
  warn_of_landlock(topology, texts);
  warn_of_locked_memory(topology, texts);
  warn_of_devices(topology, texts);
  warn_of_displaced(topology, texts);
  if (geteuid() != 0) {
    texts.push_back(
        "not root: every VM runs as this user, so one that breaks out reaches the others");
  }
  return texts;
}

void print_warnings(const Topology& topology, std::ostream& out) {
  for (const std::string& text : warnings(topology)) out << "warning: " << text << std::endl;
}

void check_socket_paths(const Topology& topology, const fs::path& directory) {
  constexpr size_t kLongest = 107;
  // The longest names below the state directory: a port's and what a VMM calls its own.
  for (const VmConfig& vm : topology.vms) {
    for (const NetConfig& net : vm.nets) {
      const fs::path port = directory / "switch" / net.segment / (vm.name + ".net99.sock");
      const fs::path own = directory / "vm" / vm.name / "control-socket.sock";
      const fs::path longest = port.string().size() > own.string().size() ? port : own;
      if (longest.string().size() <= kLongest) continue;
      throw TopologyError(vm.origin_of("name"),
                          "its sockets would have paths of more than 107 bytes (" +
                              longest.string() +
                              "); choose shorter names, or a shorter --state-dir");
    }
  }
}

int check_command(const Options& options) {
  const Topology topology = read_topology_file(options.words.at(0));
  check_files(topology);
  const Texts texts = warnings(topology);
  const std::vector<std::string> order = start_order(topology, {});
  if (options.json) {
    std::cout << nlohmann::json{{"topology", topology.name}, {"order", order}, {"warnings", texts}}
                     .dump(2)
              << "\n";
    return 0;
  }
  for (const std::string& text : texts) std::cout << "warning: " << text << "\n";
  std::cout << "topology " << topology.name << ": good; order of start:";
  for (const std::string& name : order) std::cout << " " << name;
  std::cout << "\n";
  for (const VmConfig& vm : topology.vms) {
    for (const NetConfig& net : vm.nets) {
      std::cout << "  " << vm.name << ": " << net.mac << " " << net.address << " on " << net.segment
                << (net.isolated.value_or(false) ? ", isolated" : "") << "\n";
    }
  }
  return 0;
}

}  // namespace launcher
