#include "persistence.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>

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

std::string bind_rule(const SavedDevice& device) {
  return "ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"" + device.address +
         "\", ATTR{vendor}==\"" + vendor_of(device) + "\", ATTR{device}==\"" +
         device_id_of(device) +
         "\", ATTR{driver_override}=\"vfio-pci\", RUN{builtin}+=\"kmod load vfio-pci\", "
         "RUN+=\"/bin/sh -c 'echo $kernel > /sys/bus/pci/drivers_probe'\"\n";
}

std::string owner_rule(const Binding& binding) {
  std::string rule = "SUBSYSTEM==\"vfio\", TEST==\"/sys/kernel/iommu_groups/$kernel/devices/" +
                     binding.address + "\"";
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

// Addresses with ids, by module.
std::map<std::string, std::string> functions_by_module(const State& state) {
  std::map<std::string, std::string> functions;
  for (const Binding& binding : state.bindings) {
    if (!binding.persistent) continue;
    for (const SavedDevice& device : binding.devices) {
      for (const std::string& module : device.modules) {
        functions[module] +=
            " '" + device.address + " " + vendor_of(device) + " " + device_id_of(device) + "'";
      }
    }
  }
  return functions;
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
    config += "install " + module + " for f in" + functions +
              "; do set -- $f; d=/sys/bus/pci/devices/$1; "
              "[ \"$(cat $d/vendor 2>/dev/null) $(cat $d/device 2>/dev/null)\" = \"$2 $3\" ] && "
              "echo vfio-pci > $d/driver_override; done; "
              "/sbin/modprobe -q vfio-pci; "
              "exec /sbin/modprobe --ignore-install " +
              module + " $CMDLINE_OPTS\n";
  }
  return config.empty() ? "" : kHeader + config;
}

bool Persistence::write_or_remove(const std::filesystem::path& path,
                                  const std::string& content) const {
  if (content.empty()) return std::filesystem::remove(path);
  // Surrounding white space is trimmed by the reader.
  if (read_attribute(path).value_or("") + "\n" == content) return false;
  replace_file(path, content, 0644);
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
  const auto write = [&](const std::filesystem::path& path, const std::string& content) {
    try {
      return write_or_remove(path, content);
    } catch (const std::exception& error) {
      failures += std::string(failures.empty() ? "" : "\n") + error.what();
      return false;
    }
  };
  const std::string bound_before = bind_rules_of(paths_);
  const bool owners = write(paths_.volatile_rules(), render_udev_rules(state, false));
  const bool rules = write(paths_.persistent_rules(), render_udev_rules(state, true));
  const bool config = write(paths_.modprobe_config(), render_modprobe_config(state));
  if (owners || rules) reload_udev();
  // Owners of nodes are none of its business.
  const bool binds = config || bind_rules_of(paths_) != bound_before;
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
