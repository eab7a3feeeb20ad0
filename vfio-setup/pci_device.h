// One PCI function as the kernel and pci.ids describe it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

struct PciDevice {
  std::string address;  // "0000:00:19.0"
  std::uint16_t vendor_id = 0;
  std::uint16_t device_id = 0;
  std::uint16_t class_code = 0;  // base class and sub-class: 0x0200 is Ethernet
  std::string vendor_name;
  std::string device_name;
  std::string class_name;
  std::string modalias;
  std::string driver;           // empty when none is bound
  std::string module;           // the driver's module; empty when it is built in
  std::string driver_override;  // empty when none is set
  std::optional<int> iommu_group;
  std::optional<int> numa_node;
  std::vector<std::string> reset_methods;
  std::vector<std::string> virtual_functions;  // addresses; they go when its driver does (SR-IOV)
  bool boot_vga = false;

  // Base class 02h, and 802.11 of base class 0Dh (PCI Code and ID Assignment, 1.3 and 1.14).
  bool is_nic() const;
  bool is_wireless() const;  // by class; drivers tell more exactly
  bool is_bridge() const { return class_code >> 8 == 0x06; }
  bool is_usb_controller() const { return class_code == 0x0c03; }
  bool is_display() const { return class_code >> 8 == 0x03; }
  bool is_storage() const { return class_code >> 8 == 0x01; }

  std::string ids() const;    // "8086:10d3"
  std::string title() const;  // "0000:00:19.0 Intel Corporation 82579LM ..."
};

// All functions of the machine, by libpci and sysfs, in the order of their addresses.
std::vector<PciDevice> read_pci_devices(const Paths& paths);

}  // namespace vfio_setup
