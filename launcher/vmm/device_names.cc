#include "vmm/device_names.h"

#include <algorithm>

namespace launcher {

std::string device_id(const std::string& pci_address) {
  std::string id = "pci-" + pci_address;
  std::replace(id.begin(), id.end(), ':', '-');
  return id;
}

bool is_qcow2(const std::filesystem::path& disk) {
  return disk.extension() == ".qcow2";
}

}  // namespace launcher
