// Where the kernel and the system keep what this program reads and writes.
//
// Everything hangs below one root, so that a test can put a tree of its own in the place of the
// machine. Only bind, confirm and restore write anything.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace vfio_setup {

class Paths {
 public:
  explicit Paths(std::filesystem::path root = "/") : root_(std::move(root)) {}

  // What the kernel tells by system calls belongs to no other tree.
  bool are_of_this_machine() const { return root_ == "/"; }

  std::filesystem::path sys() const { return root_ / "sys"; }
  std::filesystem::path proc() const { return root_ / "proc"; }
  std::filesystem::path dev() const { return root_ / "dev"; }
  std::filesystem::path modules() const { return root_ / "lib/modules"; }

  std::filesystem::path pci_device(const std::string& address) const {
    return sys() / "bus/pci/devices" / address;
  }
  std::filesystem::path pci_drivers() const { return sys() / "bus/pci/drivers"; }
  std::filesystem::path net(const std::string& interface = "") const {
    return sys() / "class/net" / interface;
  }
  std::filesystem::path vfio_group(int group) const {
    return dev() / "vfio" / std::to_string(group);
  }

  // Survives a reboot: a persistent binding must find its way back afterwards.
  std::filesystem::path state_directory() const { return root_ / "var/lib/vfio-setup"; }
  std::filesystem::path state_file() const { return state_directory() / "state.json"; }

  std::filesystem::path udev_control() const { return root_ / "run/udev/control"; }
  // Of this boot only: owners of /dev/vfio/GROUP, whatever udev does to the node later. A name of
  // its own: of two files with one name, udev reads that in /etc alone.
  std::filesystem::path volatile_rules() const {
    return root_ / "run/udev/rules.d/70-vfio-setup-this-boot.rules";
  }
  std::filesystem::path persistent_rules() const {
    return root_ / "etc/udev/rules.d/70-vfio-setup.rules";
  }
  std::filesystem::path modprobe_config() const { return root_ / "etc/modprobe.d/vfio-setup.conf"; }
  std::filesystem::path initramfs_hook() const {
    return root_ / "etc/initramfs-tools/hooks/vfio-setup";
  }
  std::filesystem::path boot() const { return root_ / "boot"; }

 private:
  std::filesystem::path root_;
};

}  // namespace vfio_setup
