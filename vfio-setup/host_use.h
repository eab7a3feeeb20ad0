// What the host does with its devices: interfaces and their default routes, storage that is
// mounted, what hangs on USB. Everything is attributed to the PCI function it hangs on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

// What is stacked on an interface.
struct UpperInterface {
  std::string name;
  std::string kind;                    // "bridge", "bond", "vlan"; empty for all others
  std::vector<UpperInterface> uppers;  // of a VLAN, which goes with what is below it
};

struct NetInterface {
  std::string name;
  std::string owner;     // PCI address of the function it hangs on
  std::string usb_path;  // "1-2" for a NIC on USB, else empty
  bool up = false;       // IFF_UP
  bool wireless = false;
  std::string default_route;  // interface the default route goes through: itself or one above it
  std::string address;        // one that is valid beyond its link; of this machine only
  std::vector<UpperInterface> uppers;
};

struct StorageUse {
  std::string owner;
  std::string block;  // "nvme0n1p1"
  std::string use;    // "mounted at /", "swap", "part of dm-0"
};

struct UsbDevice {
  std::string owner;
  std::string path;     // "1-2"
  std::string product;  // as the device calls itself
};

struct HostUse {
  std::vector<NetInterface> interfaces;
  std::vector<StorageUse> storage;
  std::vector<UsbDevice> usb;  // without hubs
};

HostUse read_host_use(const Paths& paths);

// The last PCI address in a sysfs path, which is the function that a device hangs on; or empty.
std::string owning_pci_address(const std::filesystem::path& device);

}  // namespace vfio_setup
