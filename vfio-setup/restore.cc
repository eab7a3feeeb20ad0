#include "restore.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "card.h"
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
  const std::string other = difference(paths, device, device.address);
  return other.empty() ? "" : "another card has its address now (" + other + ")";
}

std::vector<std::string> make_virtual_functions(const Paths& paths, const SavedDevice& device) {
  const auto number = paths.pci_device(device.address) / "sriov_numvfs";
  if (device.virtual_functions == 0 || read_attribute(number) != "0") return {};
  try {
    write_attribute(number, std::to_string(device.virtual_functions));
    return {};
  } catch (const std::exception& error) {
    return {device.address + ": its virtual functions are not back: " + error.what()};
  }
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
  std::vector<std::string> warnings = make_virtual_functions(paths, device);
  append(warnings, bring_back(paths, device));
  return warnings;
}

// Those that did not go back stay in the binding, which is not persistent any more.
void restore_devices(const Paths& paths, Binding& binding, Restored& result) {
  std::stable_partition(binding.devices.begin(), binding.devices.end(),
                        [](const SavedDevice& device) { return !device.interfaces.empty(); });
  std::vector<SavedDevice> failed;
  for (const SavedDevice& device : binding.devices) {
    try {
      append(result.warnings, restore_device(paths, binding, device));
    } catch (const std::exception& error) {
      result.failures.push_back(device.address + " did not go back: " + error.what());
      failed.push_back(device);
    }
  }
  binding.devices = std::move(failed);
  binding.persistent = false;
}

// A full disk, or one that may only be read, is no reason to keep a NIC.
void write(Restored& result, const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    result.warnings.emplace_back(error.what());
    result.is_written = false;
  }
}

}  // namespace

Restored restore_binding(const Paths& paths, State state, const std::string& address,
                         WhenHeld when_held) {
  Binding* entry = state.find(address);
  if (entry == nullptr) throw std::runtime_error(address + " was not bound by vfio-setup");
  clear_holders(paths, *entry, when_held);

  Restored result;
  entry->step = "restoring";
  write(result, [&] { StateFile(paths).save(state); });
  restore_devices(paths, *entry, result);
  if (entry->devices.empty()) state.erase(std::string(entry->address));
  write(result, [&] { append(result.warnings, Persistence(paths).apply(state)); });
  write(result, [&] { StateFile(paths).save(state); });
  return result;
}

}  // namespace vfio_setup
