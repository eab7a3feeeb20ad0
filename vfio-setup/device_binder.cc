#include "device_binder.h"

#include <stdexcept>
#include <system_error>

#include "process.h"
#include "sysfs.h"

namespace vfio_setup {

bool DeviceBinder::is_present(const std::string& address) const {
  return std::filesystem::exists(paths_.pci_device(address));
}

std::string DeviceBinder::driver_of(const std::string& address) const {
  return link_name(paths_.pci_device(address) / "driver");
}

void DeviceBinder::set_override(const std::string& address, const std::string& driver) const {
  // A line end alone clears it.
  write_attribute(paths_.pci_device(address) / "driver_override", driver + "\n");
}

void DeviceBinder::remove_virtual_functions(const std::string& address) const {
  const auto number = paths_.pci_device(address) / "sriov_numvfs";
  if (read_attribute(number).value_or("0") != "0") write_attribute(number, "0");
}

void DeviceBinder::unbind(const std::string& address) const {
  if (driver_of(address).empty()) return;
  write_attribute(paths_.pci_device(address) / "driver/unbind", address);
}

void DeviceBinder::probe(const std::string& address, const std::string& driver) const {
  if (driver_of(address).empty()) {
    try {
      write_attribute(paths_.sys() / "bus/pci/drivers_probe", address);
    } catch (const std::system_error&) {
      // What counts is the link, below.
    }
  }
  const std::string bound = driver_of(address);
  if (bound == driver) return;
  throw std::runtime_error(address + ": driver " + driver + " did not take the device (" +
                           (bound.empty() ? "it has none now" : "it is bound to " + bound) +
                           "); the kernel's log says why: dmesg | tail");
}

bool DeviceBinder::driver_is_registered(const std::string& driver) const {
  return std::filesystem::exists(paths_.pci_drivers() / driver);
}

bool DeviceBinder::give_back(const std::string& address, const std::string& driver,
                             const std::vector<std::string>& modules,
                             const std::string& override) const {
  set_override(address, override);
  if (driver_of(address) == driver) return false;
  unbind(address);
  if (driver.empty()) return true;
  for (const std::string& module : modules) {
    // Loading it makes it take the function at once.
    if (!driver_is_registered(driver)) require_tool("modprobe", {module});
  }
  // A persistent binding's `install` command has just set it again.
  if (!modules.empty()) set_override(address, override);
  try {
    probe(address, driver);
  } catch (const std::runtime_error&) {
    // Two drivers may fit; then the one it had must be named.
    unbind(address);
    write_attribute(paths_.pci_drivers() / driver / "bind", address);
    probe(address, driver);
  }
  return true;
}

}  // namespace vfio_setup
