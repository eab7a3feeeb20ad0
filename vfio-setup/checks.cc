#include "checks.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "card.h"
#include "state_file.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

constexpr int kKvmApiVersion = 12;      // KVM_GET_API_VERSION, the same since Linux 2.6.22
constexpr long kLandlockAbiWanted = 3;  // cloud-hypervisor --landlock: truncation (Linux 6.2)
constexpr rlim_t kModestGuest = 1UL << 30;

bool command_line_has(const Paths& paths, const std::string& option) {
  for (const auto& word : split_words(read_attribute(paths.proc() / "cmdline").value_or(""))) {
    if (word == option) return true;
  }
  return false;
}

bool file_contains(const std::filesystem::path& path, const std::string& text) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

// The firmware describes an IOMMU in these ACPI tables, whether or not the kernel uses it.
Finding iommu_is_off(const Paths& paths) {
  const auto tables = paths.sys() / "firmware/acpi/tables";
  if (std::filesystem::exists(tables / "DMAR")) {
    const std::string off = command_line_has(paths, "intel_iommu=off") ? " (instead of =off)" : "";
    return {"IOMMU", Grade::failure,
            "the machine has one (Intel VT-d), but the kernel leaves it off",
            "add intel_iommu=on to the kernel command line" + off + " and reboot"};
  }
  if (std::filesystem::exists(tables / "IVRS")) {
    return {"IOMMU", Grade::failure, "the machine has one (AMD-Vi), but the kernel leaves it off",
            "remove amd_iommu=off or iommu=off from the kernel command line (amd_iommu=on is the "
            "default) and reboot"};
  }
  const bool intel = file_contains(paths.proc() / "cpuinfo", "GenuineIntel");
  return {"IOMMU", Grade::failure, "none is described by the firmware",
          intel ? "switch VT-d on in the firmware's set-up, and add intel_iommu=on to the kernel "
                  "command line"
                : "switch AMD-Vi (\"IOMMU\") on in the firmware's set-up"};
}

bool module_is_available(const Paths& paths, const std::string& release, const std::string& name) {
  std::string underscored = name;
  for (char& letter : underscored) letter = letter == '-' ? '_' : letter;
  if (std::filesystem::exists(paths.sys() / "module" / underscored)) return true;
  const auto directory = paths.modules() / release;
  return file_contains(directory / "modules.dep", "/" + name + ".ko") ||
         file_contains(directory / "modules.builtin", "/" + name + ".ko");
}

class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC)), error_(fd_ < 0 ? errno : 0) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }
  int error() const { return error_; }

 private:
  int fd_;
  int error_;
};

Finding check_node(const std::filesystem::path& node, const std::string& remedy) {
  struct stat status {};
  if (::stat(node.c_str(), &status) != 0) {
    return {"rights", Grade::warning, node.string() + " is not there", "modprobe vfio-pci"};
  }
  std::array<char, 64> owner{};
  std::snprintf(owner.data(), owner.size(), "user %u, group %u, mode %04o", status.st_uid,
                status.st_gid, status.st_mode & 07777U);
  const std::string text = node.string() + ": " + owner.data();
  if (::access(node.c_str(), R_OK | W_OK) == 0) return {"rights", Grade::ok, text, ""};
  return {"rights", Grade::warning, text + "; this user may not use it", remedy};
}

std::string in_mebibytes(rlim_t bytes) {
  return bytes == RLIM_INFINITY ? "unlimited" : std::to_string(bytes >> 20) + " MiB";
}

Finding check_card(const Paths& paths, const SavedDevice& device) {
  const std::string subject = "persistent binding";
  const Place place = find_card(paths, device);
  const std::string text = describe(device, place);
  if (place.address.empty()) {
    return {subject, Grade::failure, text,
            "vfio-setup restore " + device.address +
                " forgets it; bind --persist again where it is meant to be"};
  }
  const std::string driver = link_name(paths.pci_device(place.address) / "driver");
  const std::string remedy = "vfio-setup bind " + place.address + " --persist";
  if (driver != "vfio-pci") {
    return {subject, Grade::failure,
            text + ", but " + (driver.empty() ? "has no driver" : "driver " + driver + " has it"),
            remedy};
  }
  const bool is_there = place.difference.empty();
  return {subject, is_there ? Grade::ok : Grade::warning, text, is_there ? "" : remedy};
}

}  // namespace

Finding check_iommu(const Paths& paths) {
  const auto units = directory_entries(paths.sys() / "class/iommu");
  const auto groups = directory_entries(paths.sys() / "kernel/iommu_groups");
  if (groups.empty()) return iommu_is_off(paths);
  if (units.empty()) {
    return {"IOMMU", Grade::failure, "there are groups but no IOMMU behind them (noiommu mode)",
            "switch the IOMMU on in the firmware's set-up: without it a VM's device reaches all "
            "of the host's memory"};
  }
  const std::string kind = units.front().starts_with("dmar")   ? "Intel VT-d"
                           : units.front().starts_with("ivhd") ? "AMD-Vi"
                                                               : units.front();
  return {"IOMMU", Grade::ok, kind + ", on, " + std::to_string(groups.size()) + " groups", ""};
}

Finding check_interrupt_remapping(const Paths& paths) {
  // Interrupt chips behind a remapping unit are named "IR-...".
  if (file_contains(paths.proc() / "interrupts", " IR-")) {
    return {"interrupt remapping", Grade::ok, "on", ""};
  }
  const auto unsafe = paths.sys() / "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
  if (read_attribute(unsafe) == "Y") {
    return {"interrupt remapping", Grade::warning, "off, and VFIO was told to do without",
            "a VM with a device can then send any interrupt to the host: switch it on in the "
            "firmware's set-up (VT-d or AMD-Vi, x2APIC)"};
  }
  return {"interrupt remapping", Grade::failure, "off: VFIO refuses devices",
          "switch it on in the firmware's set-up, and remove intremap=off from the kernel command "
          "line; only where VMs are trusted: vfio_iommu_type1.allow_unsafe_interrupts=1"};
}

Finding check_vfio_modules(const Paths& paths, const std::string& kernel_release) {
  for (const char* name : {"vfio-pci", "vfio_iommu_type1"}) {
    if (module_is_available(paths, kernel_release, name)) continue;
    return {"vfio modules", Grade::failure,
            std::string(name) + " is missing for kernel " + kernel_release,
            "install a kernel that has it, such as that of Debian's package linux-image-amd64"};
  }
  const bool loaded = std::filesystem::exists(paths.sys() / "module/vfio_pci");
  return {"vfio modules", Grade::ok, loaded ? "loaded" : "there; bind loads them", ""};
}

std::vector<Finding> check_vfio_rights(const Paths& paths) {
  std::vector<Finding> findings;
  findings.push_back(check_node(paths.dev() / "vfio/vfio",
                                "chmod 0666 /dev/vfio/vfio: alone it "
                                "gives access to no device"));
  for (const std::string& name : directory_entries(paths.dev() / "vfio")) {
    if (name == "vfio" || name == "devices") continue;
    findings.push_back(check_node(paths.dev() / "vfio" / name,
                                  "vfio-setup bind ADDRESS --user NAME gives it to a user"));
  }
  return findings;
}

std::vector<Finding> check_persistent(const Paths& paths) {
  std::vector<Finding> findings;
  for (const Binding& binding : StateFile(paths).load().bindings) {
    if (!binding.persistent) continue;
    for (const SavedDevice& device : binding.devices) findings.push_back(check_card(paths, device));
  }
  return findings;
}

Finding check_memlock() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  const std::string text =
      in_mebibytes(limit.rlim_cur) + " (hard limit " + in_mebibytes(limit.rlim_max) + ")";
  if (limit.rlim_max >= kModestGuest) return {"RLIMIT_MEMLOCK", Grade::ok, text, ""};
  return {"RLIMIT_MEMLOCK", Grade::warning, text,
          "a VM with a device locks all its memory: the hard limit of the VMM's user must be above "
          "it (LimitMEMLOCK= of the unit, or memlock in /etc/security/limits.conf); root and "
          "CAP_IPC_LOCK are exempt"};
}

Finding check_kvm(const Paths& paths) {
  const OpenFile kvm(paths.dev() / "kvm", O_RDWR);
  if (kvm.error() == ENOENT || kvm.error() == ENODEV || kvm.error() == ENXIO) {
    const bool amd = file_contains(paths.proc() / "cpuinfo", "AuthenticAMD");
    return {"KVM", Grade::failure,
            "/dev/kvm does not work: " + std::string(std::strerror(kvm.error())),
            std::string("modprobe ") + (amd ? "kvm-amd" : "kvm-intel") +
                "; if that fails, switch virtualization on in the firmware's set-up"};
  }
  if (kvm.error() != 0) {
    return {"KVM", Grade::warning, "/dev/kvm: " + std::string(std::strerror(kvm.error())),
            "put this user into the group kvm"};
  }
  if (::ioctl(kvm.fd(), KVM_GET_API_VERSION, 0) != kKvmApiVersion) {
    return {"KVM", Grade::failure, "/dev/kvm does not answer as KVM does", "use another kernel"};
  }
  return {"KVM", Grade::ok, "usable", ""};
}

Finding check_landlock() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi >= kLandlockAbiWanted) {
    return {"Landlock", Grade::ok, "ABI " + std::to_string(abi), ""};
  }
  const bool disabled = abi < 0 && errno == EOPNOTSUPP;
  return {"Landlock", Grade::warning,
          abi > 0 ? "ABI " + std::to_string(abi) : std::string(disabled ? "disabled" : "absent"),
          disabled ? "add landlock to the kernel's lsm= option to have VMMs confined by it"
                   : "VMMs are not confined by it: that takes ABI 3 (Linux 6.2)"};
}

std::vector<Finding> run_checks(const Paths& paths) {
  utsname kernel{};
  ::uname(&kernel);
  std::vector<Finding> findings{check_iommu(paths), check_interrupt_remapping(paths),
                                check_vfio_modules(paths, kernel.release)};
  for (Finding& finding : check_vfio_rights(paths)) findings.push_back(std::move(finding));
  if (::geteuid() == 0) {
    for (Finding& finding : check_persistent(paths)) findings.push_back(std::move(finding));
  }
  findings.push_back(check_memlock());
  findings.push_back(check_kvm(paths));
  findings.push_back(check_landlock());
  return findings;
}

const char* name_of(Grade grade) {
  return grade == Grade::ok ? "ok" : grade == Grade::warning ? "warning" : "failure";
}

}  // namespace vfio_setup
