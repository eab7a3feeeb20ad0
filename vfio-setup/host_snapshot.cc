#include "host_snapshot.h"

#include <algorithm>

namespace vfio_setup {

const PciDevice* HostSnapshot::find(const std::string& address) const {
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const PciDevice& device) {
    return device.address == address;
  });
  return found == devices.end() ? nullptr : &*found;
}

std::vector<const PciDevice*> HostSnapshot::group_of(const PciDevice& device) const {
  std::vector<const PciDevice*> members;
  for (const PciDevice& other : devices) {
    const bool same = device.iommu_group && other.iommu_group == device.iommu_group;
    if (same || other.address == device.address) members.push_back(&other);
  }
  return members;
}

std::vector<const NetInterface*> HostSnapshot::interfaces_of(const PciDevice& device) const {
  std::vector<const NetInterface*> interfaces;
  for (const NetInterface& interface : use.interfaces) {
    if (interface.owner == device.address) interfaces.push_back(&interface);
  }
  return interfaces;
}

bool HostSnapshot::is_nic(const PciDevice& device) const {
  return device.is_nic() || (!device.is_usb_controller() && !interfaces_of(device).empty());
}

bool HostSnapshot::is_wireless(const PciDevice& device) const {
  const auto interfaces = interfaces_of(device);
  return device.is_wireless() ||
         std::any_of(interfaces.begin(), interfaces.end(),
                     [](const NetInterface* interface) { return interface->wireless; });
}

HostSnapshot read_host(const Paths& paths) {
  return {read_pci_devices(paths), read_host_use(paths)};
}

}  // namespace vfio_setup
