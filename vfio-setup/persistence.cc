#include "persistence.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <stdexcept>

#include "card.h"
#include "process.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

constexpr const char* kHeader = "# Written by vfio-setup; `vfio-setup restore` takes it back.\n";

std::string vendor_of(const SavedDevice& device) {
  return "0x" + device.ids.substr(0, 4);
}
std::string device_id_of(const SavedDevice& device) {
  return "0x" + device.ids.substr(5, 4);
}

// Where the package has it, or the build.
std::string own_program() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "/usr/sbin/vfio-setup" : program.string();
}

// Of the function that udev has before it, or of the group.
std::string is_at(const SavedDevice& device) {
  return "PROGRAM==\"" + own_program() + " is-at $kernel " + word_of(device) + "\"";
}

// "0x8086 0x10d3 0x8086 0xa01f", of vendor and device, and the same of the subsystem if known.
std::string ids_of(const SavedDevice& device) {
  std::string ids = vendor_of(device) + " " + device_id_of(device);
  if (device.subsystem.size() < 9) return ids;
  return ids + " 0x" + device.subsystem.substr(0, 4) + " 0x" + device.subsystem.substr(5, 4);
}

// With a serial number, the card is looked for; else it must be where it was.
std::string which_function(const SavedDevice& device) {
  std::string rule;
  const auto ids = split_words(ids_of(device));
  const std::array<const char*, 4> keys{"vendor", "device", "subsystem_vendor", "subsystem_device"};
  if (device.serial.empty()) rule = "KERNEL==\"" + device.address + "\", ";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    rule += std::string("ATTR{") + keys.at(i) + "}==\"" + ids[i] + "\", ";
  }
  return device.serial.empty() ? rule : rule + is_at(device) + ", ";
}

std::string bind_rule(const SavedDevice& device) {
  return "ACTION==\"add\", SUBSYSTEM==\"pci\", " + which_function(device) +
         "ATTR{driver_override}=\"vfio-pci\", RUN{builtin}+=\"kmod load vfio-pci\", "
         "RUN+=\"/bin/sh -c 'echo $kernel > /sys/bus/pci/drivers_probe'\"\n";
}

// Another card that has the address now is nobody's.
std::string which_group(const Binding& binding) {
  for (const SavedDevice& device : binding.devices) {
    if (!binding.persistent || device.address != binding.address) continue;
    if (!device.serial.empty()) return is_at(device);
  }
  return "TEST==\"/sys/kernel/iommu_groups/$kernel/devices/" + binding.address + "\"";
}

std::string owner_rule(const Binding& binding) {
  std::string rule = "SUBSYSTEM==\"vfio\", " + which_group(binding);
  if (binding.user) rule += ", OWNER=\"" + std::to_string(*binding.user) + "\"";
  if (binding.group) rule += ", GROUP=\"" + std::to_string(*binding.group) + "\"";
  return rule + ", MODE=\"" + (binding.group ? "0660" : "0600") + "\"\n";
}

// Those of the file that bind functions.
std::string bind_rules_of(const Paths& paths) {
  std::ifstream file(paths.persistent_rules());
  std::string rules;
  for (std::string line; std::getline(file, line);) {
    if (line.find("driver_override") != std::string::npos) rules += line + "\n";
  }
  return rules;
}

std::map<std::string, std::vector<const SavedDevice*>> functions_by_module(const State& state) {
  std::map<std::string, std::vector<const SavedDevice*>> functions;
  for (const Binding& binding : state.bindings) {
    if (!binding.persistent) continue;
    for (const SavedDevice& device : binding.devices) {
      for (const std::string& module : device.modules) {
        functions[module].push_back(&device);
      }
    }
  }
  return functions;
}

// The same rule in plain shell for where the program is missing, as in an initramfs that somebody
// else made. Serial numbers are beyond it, so whoever has one is not bound.
std::string claim_without_program(const std::vector<const SavedDevice*>& devices) {
  std::string functions;
  for (const SavedDevice* device : devices) {
    if (device->serial.empty()) functions += " '" + device->address + " " + ids_of(*device) + "'";
  }
  if (functions.empty()) return "true; ";
  return "for f in" + functions +
         "; do set -- $f; d=/sys/bus/pci/devices/$1; i=$(cat $d/vendor $d/device "
         "${4:+$d/subsystem_vendor $d/subsystem_device} 2>/dev/null); "
         "[ \"$1 $(echo $i)\" = \"$f\" ] && echo vfio-pci > $d/driver_override; done; ";
}

std::string claim(const std::vector<const SavedDevice*>& devices) {
  std::string words;
  for (const SavedDevice* device : devices) words += " " + word_of(*device);
  return "p=" + own_program() + "; $p claim" + words + " || " + claim_without_program(devices) +
         "[ -x $p ] || echo \"<3>vfio-setup: $p is missing here: no card with a serial number is "
         "bound\" > /dev/kmsg; ";
}

// Without it, nobody looks at serial numbers in the initramfs.
std::string render_hook() {
  return std::string("#!/bin/sh\n") + kHeader +
         "[ \"$1\" = prereqs ] && exit 0\n"
         ". /usr/share/initramfs-tools/hook-functions\n"
         "[ ! -x " +
         own_program() + " ] || copy_exec " + own_program() + "\n";
}

}  // namespace

std::string render_udev_rules(const State& state, bool persistent) {
  std::string rules;
  for (const Binding& binding : state.bindings) {
    if (binding.persistent != persistent) continue;
    if (persistent) {
      for (const SavedDevice& device : binding.devices) rules += bind_rule(device);
    }
    if (binding.user || binding.group) rules += owner_rule(binding);
  }
  return rules.empty() ? "" : kHeader + rules;
}

std::string render_modprobe_config(const State& state) {
  std::string config;
  for (const auto& [module, functions] : functions_by_module(state)) {
    config += "install " + module + " " + claim(functions) +
              "/sbin/modprobe -q vfio-pci; "
              "exec /sbin/modprobe --ignore-install " +
              module + " $CMDLINE_OPTS\n";
  }
  return config.empty() ? "" : kHeader + config;
}

bool Persistence::write_or_remove(const std::filesystem::path& path, const std::string& content,
                                  int mode) const {
  if (content.empty()) return std::filesystem::remove(path);
  // Surrounding white space is trimmed by the reader.
  if (read_attribute(path).value_or("") + "\n" == content) return false;
  replace_file(path, content, mode);
  return true;
}

void Persistence::reload_udev() const {
  if (!std::filesystem::exists(paths_.udev_control())) return;
  run_tool("udevadm", {"control", "--reload"});
}

std::vector<std::string> initramfs_arguments(const Paths& paths) {
  const auto files = directory_entries(paths.boot());
  const bool in_use = std::any_of(files.begin(), files.end(), [](const std::string& file) {
    return file.starts_with("initrd.img-");
  });
  return in_use ? std::vector<std::string>{"-u", "-k", "all"} : std::vector<std::string>();
}

std::vector<std::string> Persistence::rebuild_initramfs() const {
  const auto arguments = initramfs_arguments(paths_);
  if (arguments.empty()) return {};
  const ToolResult result = run_tool("update-initramfs", arguments);
  if (result.status == 0) return {};
  return {
      "the initramfs was not built again and may still load the old driver; build it again by "
      "the system's own means (" +
      result.error + ")"};
}

std::vector<std::string> Persistence::apply(const State& state) const {
  std::string failures;
  const auto write = [&](const std::filesystem::path& path, const std::string& content,
                         int mode = 0644) {
    try {
      return write_or_remove(path, content, mode);
    } catch (const std::exception& error) {
      failures += std::string(failures.empty() ? "" : "\n") + error.what();
      return false;
    }
  };
  const std::string bound_before = bind_rules_of(paths_);
  const bool owners = write(paths_.volatile_rules(), render_udev_rules(state, false));
  const bool rules = write(paths_.persistent_rules(), render_udev_rules(state, true));
  const std::string claims = render_modprobe_config(state);
  const bool config = write(paths_.modprobe_config(), claims);
  const bool is_claimed_early = !claims.empty() && !initramfs_arguments(paths_).empty();
  const bool hook = write(paths_.initramfs_hook(), is_claimed_early ? render_hook() : "", 0755);
  if (owners || rules) reload_udev();
  // Owners of nodes are none of its business.
  const bool binds = config || hook || bind_rules_of(paths_) != bound_before;
  const auto warnings = binds ? rebuild_initramfs() : std::vector<std::string>();
  if (!failures.empty()) throw std::runtime_error(failures);
  return warnings;
}

std::vector<std::string> modules_for(const std::string& modalias) {
  if (modalias.empty()) return {};
  const ToolResult result = run_tool("modprobe", {"--resolve-alias", modalias});
  return result.status == 0 ? split_words(result.output) : std::vector<std::string>();
}

}  // namespace vfio_setup
