// Making a binding hold from the next boot on, before the device's own driver touches it.
//
// Theory of operation. At boot, the driver's module may be loaded for any reason (another card of
// the same kind, the initramfs) and takes every free function it knows in that moment. So it is
// not enough to act when the function is announced; two things are installed:
//
//  - modprobe.d: an `install` command for each module that serves the function sets
//    driver_override before the module is loaded, however that comes about (libkmod, which udev
//    uses, honours it too). It is plain shell, so it works in an initramfs.
//  - udev rules: when the function is announced, driver_override is set while the rules are read,
//    which is before any module is loaded for it; then vfio-pci is loaded and asked to take it.
//    Another rule owns /dev/vfio/GROUP to the user, found by the function, since the number of
//    the group may differ from boot to boot.
//
// Both ask this program where the card is (card.h): after a change of cards an address may be
// another's. A card without a serial number must be at its address, which rules and shell can tell
// by themselves. The files are a function of the state; restore writes them again without the
// binding, or removes them. An initramfs has copies of them, and of this program by a hook, so it
// is built again where one is in use.
#pragma once

#include <string>
#include <vector>

#include "state_file.h"

namespace vfio_setup {

std::string render_udev_rules(const State& state, bool persistent);
std::string render_modprobe_config(const State& state);

// What `update-initramfs` is told; empty where no initramfs of its making is in use. All of them:
// the next boot may be of another kernel.
std::vector<std::string> initramfs_arguments(const Paths& paths);

class Persistence {
 public:
  explicit Persistence(const Paths& paths) : paths_(paths) {}

  // Makes the files say what the state says. Returns warnings; throws after it has tried all of
  // them, when one cannot be written.
  std::vector<std::string> apply(const State& state) const;

 private:
  bool write_or_remove(const std::filesystem::path& path, const std::string& content,
                       int mode) const;
  void reload_udev() const;
  std::vector<std::string> rebuild_initramfs() const;

  Paths paths_;
};

// Modules that the kernel would load for a function without a driver.
std::vector<std::string> modules_for(const std::string& modalias);

}  // namespace vfio_setup
