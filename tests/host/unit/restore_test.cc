// The way back on a tree of files, where no driver ever lets go: what is there already goes back.
#include "restore.h"

#include <gmock/gmock.h>

#include "fake_host.h"
#include "fake_tools.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kDisk = "0000:01:00.0";
constexpr const char* kNic = "0000:01:00.1";

class RestoreTest : public FakeHost {
 protected:
  RestoreTest() {
    add_function(kDisk, "nvme");
    add_function(kNic, "e1000e");
    binding_.address = kDisk;
    binding_.step = "bound";
    binding_.persistent = true;
    binding_.devices = {{kDisk, "8086:10d3", "nvme", {}, "", {}},
                        {kNic, "8086:10d3", "e1000e", {}, "", {}}};
  }

  void add_function(const std::string& address, const std::string& driver) {
    const std::string device = add_device(address, "0x020000", 4, driver);
    write(device + "/driver_override", "x");  // a file keeps the rest of what was longer
  }

  // It stays with vfio-pci whatever is done.
  void make_stuck(const std::string& address) {
    const auto driver = paths().pci_device(address) / "driver";
    std::filesystem::remove(driver);
    std::filesystem::create_directories(root_ / "sys/bus/pci/drivers/vfio-pci");
    std::filesystem::create_symlink(root_ / "sys/bus/pci/drivers/vfio-pci", driver);
  }

  std::string override_of(const std::string& address) {
    return *read_attribute(paths().pci_device(address) / "driver_override");
  }

  Restored restore() {
    return restore_binding(paths(), State{{binding_}}, kDisk, WhenHeld::refuse);
  }

  Binding binding_;
  FakeTools tools_;
};

TEST_F(RestoreTest, one_function_that_is_stuck_keeps_no_other) {
  make_stuck(kDisk);
  const Restored result = restore();
  EXPECT_THAT(result.failures, ElementsAre(HasSubstr(std::string(kDisk) + " did not go back")));
  EXPECT_EQ(override_of(kNic), "");
  const State left = StateFile(paths()).load();
  ASSERT_EQ(left.bindings.size(), 1U);
  ASSERT_EQ(left.bindings[0].devices.size(), 1U);
  EXPECT_EQ(left.bindings[0].devices[0].address, kDisk);
  EXPECT_FALSE(left.bindings[0].persistent);
}

TEST_F(RestoreTest, network_goes_back_first) {
  add_interface("sys/devices/pci0000:00/0000:01:00.1", "eno1", false);
  SavedInterface interface;
  interface.name = "eno1";
  binding_.devices[1].interfaces = {interface};
  make_stuck(kDisk);
  make_stuck(kNic);
  EXPECT_THAT(restore().failures, ElementsAre(HasSubstr(kNic), HasSubstr(kDisk)));
}

TEST_F(RestoreTest, functions_go_back_though_nothing_can_be_written) {
  for (const char* file : {"var/lib/vfio-setup/state.json", "etc/modprobe.d/vfio-setup.conf"}) {
    std::filesystem::create_directories(root_ / (std::string(file) + ".new/in-the-way"));
    write(std::string(file) + "/in-the-way", "");
  }
  const Restored result = restore();
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_FALSE(result.is_written);
  EXPECT_EQ(override_of(kDisk), "");
  EXPECT_EQ(override_of(kNic), "");
}

TEST_F(RestoreTest, nothing_is_left_of_what_went_back) {
  const Restored result = restore();
  EXPECT_TRUE(result.is_written);
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_THAT(StateFile(paths()).load().bindings, IsEmpty());
}

TEST_F(RestoreTest, virtual_functions_are_made_again) {
  write("sys/devices/pci0000:00/0000:01:00.1/sriov_numvfs", "0\n");
  binding_.devices[1].virtual_functions = 4;
  write("proc/sys/kernel/random/boot_id", "boot\n");
  binding_.boot_id = "boot";
  EXPECT_THAT(restore().failures, IsEmpty());
  EXPECT_EQ(read_attribute(paths().pci_device(kNic) / "sriov_numvfs"), "4");
}

}  // namespace
}  // namespace vfio_setup
