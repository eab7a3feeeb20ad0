// Names that devices have in a VMM, and what their paths say.
#pragma once

#include <filesystem>
#include <string>

namespace launcher {

// Of a PCI device that was passed: "0000:00:19.0" is "pci-0000-00-19.0". QEMU allows letters,
// digits, '-', '.' and '_' after a first letter.
std::string device_id(const std::string& pci_address);

// Whether a disk image is qcow2: by its name alone. What the image says of itself is the guest's
// word: a raw disk on which the guest wrote a qcow2 header would open files of the host.
bool is_qcow2(const std::filesystem::path& disk);

}  // namespace launcher
