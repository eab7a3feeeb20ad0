// Devices and their use at one moment, and the questions asked about them. Decisions are made on
// a snapshot, so they can be tested without a machine.
#pragma once

#include <string>
#include <vector>

#include "host_use.h"
#include "pci_device.h"

namespace vfio_setup {

struct HostSnapshot {
  std::vector<PciDevice> devices;
  HostUse use;

  const PciDevice* find(const std::string& address) const;
  // Members of an IOMMU group, the device itself included; only itself when it has no group.
  std::vector<const PciDevice*> group_of(const PciDevice& device) const;
  std::vector<const NetInterface*> interfaces_of(const PciDevice& device) const;
  // A NIC by its class, or by an interface of its own where the class tells nothing. A USB
  // controller is none, whatever hangs on it.
  bool is_nic(const PciDevice& device) const;
  bool is_wireless(const PciDevice& device) const;
};

HostSnapshot read_host(const Paths& paths);

}  // namespace vfio_setup
