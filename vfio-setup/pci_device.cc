#include "pci_device.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

extern "C" {
#include <pci/pci.h>
}

#include "sysfs.h"

namespace vfio_setup {
namespace {

using PciAccess = std::unique_ptr<pci_access, decltype(&pci_cleanup)>;

PciAccess open_pci(const Paths& paths) {
  PciAccess access(pci_alloc(), &pci_cleanup);
  access->method = PCI_ACCESS_SYS_BUS_PCI;
  std::string directory = (paths.sys() / "bus/pci").string();
  std::string name = "sysfs.path";
  pci_set_param(access.get(), name.data(), directory.data());
  pci_init(access.get());
  pci_scan_bus(access.get());
  return access;
}

std::string address_of(const pci_dev& device) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.%d", static_cast<unsigned>(device.domain),
                device.bus, device.dev, device.func);
  return text.data();
}

std::string look_up(pci_access* access, int what, int first, int second = 0) {
  std::array<char, 256> name{};
  return pci_lookup_name(access, name.data(), name.size(), what, first, second);
}

void read_names(pci_access* access, PciDevice& device) {
  device.vendor_name = look_up(access, PCI_LOOKUP_VENDOR, device.vendor_id);
  device.device_name = look_up(access, PCI_LOOKUP_DEVICE, device.vendor_id, device.device_id);
  device.class_name = look_up(access, PCI_LOOKUP_CLASS, device.class_code);
}

// What libpci has no field for, or only in later releases.
void read_sysfs(const Paths& paths, PciDevice& device) {
  const auto directory = paths.pci_device(device.address);
  device.driver = link_name(directory / "driver");
  if (!device.driver.empty()) device.module = link_name(directory / "driver/module");
  device.driver_override = read_attribute(directory / "driver_override").value_or("");
  if (device.driver_override == "(null)") device.driver_override.clear();
  device.modalias = read_attribute(directory / "modalias").value_or("");
  device.reset_methods = split_words(read_attribute(directory / "reset_method").value_or(""));
  device.boot_vga = read_attribute(directory / "boot_vga") == "1";
  for (const std::string& entry : directory_entries(directory)) {
    if (entry.starts_with("virtfn"))
      device.virtual_functions.push_back(link_name(directory / entry));
  }
  const std::string group = link_name(directory / "iommu_group");
  if (!group.empty()) device.iommu_group = std::stoi(group);
}

}  // namespace

bool PciDevice::is_nic() const {
  return class_code >> 8 == 0x02 || class_code == 0x0d20 || class_code == 0x0d21;
}

bool PciDevice::is_wireless() const {
  return class_code == 0x0280 || class_code == 0x0d20 || class_code == 0x0d21;
}

std::string PciDevice::ids() const {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04x:%04x", vendor_id, device_id);
  return text.data();
}

std::string PciDevice::title() const {
  return address + " " + vendor_name + " " + device_name;
}

std::vector<PciDevice> read_pci_devices(const Paths& paths) {
  std::vector<PciDevice> devices;
  const PciAccess access = open_pci(paths);
  for (pci_dev* found = access->devices; found != nullptr; found = found->next) {
    pci_fill_info(found, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_NUMA_NODE);
    PciDevice device;
    device.address = address_of(*found);
    device.vendor_id = found->vendor_id;
    device.device_id = found->device_id;
    device.class_code = found->device_class;
    if (found->numa_node >= 0) device.numa_node = found->numa_node;
    read_names(access.get(), device);
    read_sysfs(paths, device);
    devices.push_back(std::move(device));
  }
  std::sort(devices.begin(), devices.end(),
            [](const PciDevice& a, const PciDevice& b) { return a.address < b.address; });
  return devices;
}

}  // namespace vfio_setup
