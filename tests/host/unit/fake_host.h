// A directory that looks like the root of a machine with PCI devices.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "paths.h"

namespace vfio_setup {

class FakeHost : public testing::Test {
 protected:
  FakeHost() {
    std::string name = (std::filesystem::temp_directory_path() / "fake-host.XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    // libpci wants the directory even when it is empty.
    std::filesystem::create_directories(root_ / "sys/bus/pci/devices");
  }
  ~FakeHost() override { std::filesystem::remove_all(root_); }

  Paths paths() const { return Paths(root_); }

  void write(const std::string& path, const std::string& content) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  void link(const std::string& path, const std::string& target) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::filesystem::create_directories(root_ / target);
    std::filesystem::create_symlink(root_ / target, root_ / path);
  }

  // `address` may name the bridges above it: "0000:00:1c.0/0000:01:00.0".
  std::string add_device(const std::string& address, const std::string& class_code, int group,
                         const std::string& driver) const {
    const std::string directory = "sys/devices/pci0000:00/" + address;
    const std::string name = std::filesystem::path(address).filename();
    write(directory + "/vendor", "0x8086\n");
    write(directory + "/device", "0x10d3\n");
    write(directory + "/class", class_code + "\n");
    write(directory + "/irq", "0\n");
    write(directory + "/resource", "");
    write(directory + "/modalias", "");
    write(directory + "/driver_override", "(null)\n");
    write(directory + "/config", std::string(64, '\0'));
    if (group >= 0)
      link(directory + "/iommu_group", "sys/kernel/iommu_groups/" + std::to_string(group));
    if (!driver.empty()) link(directory + "/driver", "sys/bus/pci/drivers/" + driver);
    link("sys/bus/pci/devices/" + name, directory);
    return directory;
  }

  // A network interface below a directory of /sys/devices.
  void add_interface(const std::string& device, const std::string& name, bool up) const {
    write(device + "/net/" + name + "/flags", up ? "0x1003\n" : "0x1002\n");
    link("sys/class/net/" + name, device + "/net/" + name);
    std::filesystem::create_symlink(root_ / device, root_ / device / "net" / name / "device");
  }

  // An interface stacked on another.
  void add_upper(const std::string& lower, const std::string& name, const std::string& kind) const {
    const std::string directory = "sys/devices/virtual/net/" + name;
    write(directory + "/uevent", "DEVTYPE=" + kind + "\nINTERFACE=" + name + "\n");
    link("sys/class/net/" + name, directory);
    std::filesystem::create_symlink(root_ / directory,
                                    root_ / "sys/class/net" / lower / ("upper_" + name));
  }

  void add_default_route(const std::string& interface) const {
    write("proc/net/route",
          "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n" + interface +
              " 00000000 0100A8C0 0003 0 0 100 00000000 0 0 0\n");
  }

  std::filesystem::path root_;
};

}  // namespace vfio_setup
