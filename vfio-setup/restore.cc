#include "restore.h"

#include <stdexcept>

#include "device_binder.h"
#include "group_holders.h"
#include "net_config.h"
#include "persistence.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

constexpr std::chrono::seconds kGrace{10};

void clear_holders(const Paths& paths, const Binding& binding, WhenHeld when_held) {
  std::vector<std::string> addresses;
  for (const SavedDevice& device : binding.devices) addresses.push_back(device.address);
  if (when_held == WhenHeld::end_holders) {
    end_holders(paths, addresses, kGrace);
    return;
  }
  const auto holders = find_holders(paths, addresses);
  if (holders.empty()) return;
  throw std::runtime_error(binding.address + " is in use by process " +
                           std::to_string(holders.front().pid) + " (" + holders.front().command +
                           "): end that VM first, or give --force, which ends it");
}

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// Empty when the saved card still is at its address.
std::string why_absent(const Paths& paths, const SavedDevice& device) {
  if (!DeviceBinder(paths).is_present(device.address)) return "it is gone";
  const auto directory = paths.pci_device(device.address);
  const std::string ids = read_attribute(directory / "vendor").value_or("0x") + ":" +
                          read_attribute(directory / "device").value_or("0x");
  const std::string saved = "0x" + device.ids.substr(0, 4) + ":0x" + device.ids.substr(5);
  return ids == saved ? "" : "another card (" + ids + ") has its address now";
}

std::vector<std::string> restore_device(const Paths& paths, const Binding& binding,
                                        const SavedDevice& device) {
  const std::string absent = why_absent(paths, device);
  if (!absent.empty()) return {device.address + " was not restored: " + absent};
  const bool same_boot = binding.boot_id == current_boot_id(paths);
  const bool moved = DeviceBinder(paths).give_back(device.address, device.driver, device.modules,
                                                   device.driver_override);
  // Half-done work may have taken the interface down without having moved the function.
  if (!moved && !same_boot) return {};
  return bring_back(paths, device);
}

}  // namespace

std::vector<std::string> restore_binding(const Paths& paths, const std::string& address,
                                         WhenHeld when_held) {
  const StateFile file(paths);
  State state = file.load();
  Binding* entry = state.find(address);
  if (entry == nullptr) throw std::runtime_error(address + " was not bound by vfio-setup");
  clear_holders(paths, *entry, when_held);

  entry->step = "restoring";
  file.save(state);
  const Binding binding = *entry;
  State without = state;
  without.erase(binding.address);
  std::vector<std::string> warnings = Persistence(paths).apply(without);
  for (const SavedDevice& device : binding.devices) {
    append(warnings, restore_device(paths, binding, device));
  }
  file.save(without);
  return warnings;
}

}  // namespace vfio_setup
