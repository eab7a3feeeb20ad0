// The checks that read files.
#include "checks.h"

#include <gmock/gmock.h>

#include "fake_host.h"
#include "state_file.h"

namespace vfio_setup {
namespace {

using testing::HasSubstr;
using ChecksTest = FakeHost;

TEST_F(ChecksTest, iommu_that_is_on) {
  write("sys/class/iommu/dmar0/x", "");
  write("sys/kernel/iommu_groups/0/type", "DMA");
  EXPECT_EQ(check_iommu(paths()).grade, Grade::ok);
  EXPECT_THAT(check_iommu(paths()).text, HasSubstr("Intel VT-d"));
}

TEST_F(ChecksTest, intel_iommu_that_the_kernel_leaves_off) {
  write("sys/firmware/acpi/tables/DMAR", "");
  write("proc/cmdline", "quiet intel_iommu=off\n");
  const Finding finding = check_iommu(paths());
  EXPECT_EQ(finding.grade, Grade::failure);
  EXPECT_THAT(finding.remedy, HasSubstr("intel_iommu=on to the kernel command line (instead"));
}

TEST_F(ChecksTest, amd_iommu_that_the_kernel_leaves_off) {
  write("sys/firmware/acpi/tables/IVRS", "");
  EXPECT_THAT(check_iommu(paths()).remedy, HasSubstr("amd_iommu=off"));
}

TEST_F(ChecksTest, no_iommu_in_the_firmware) {
  write("proc/cpuinfo", "vendor_id : GenuineIntel\n");
  EXPECT_THAT(check_iommu(paths()).remedy, HasSubstr("VT-d"));
  write("proc/cpuinfo", "vendor_id : AuthenticAMD\n");
  EXPECT_THAT(check_iommu(paths()).remedy, HasSubstr("AMD-Vi"));
}

TEST_F(ChecksTest, groups_without_an_iommu_protect_nothing) {
  write("sys/kernel/iommu_groups/0/type", "");
  EXPECT_EQ(check_iommu(paths()).grade, Grade::failure);
}

TEST_F(ChecksTest, interrupt_remapping) {
  write("proc/interrupts", " 0: 165 0 IO-APIC 2-edge timer\n");
  EXPECT_EQ(check_interrupt_remapping(paths()).grade, Grade::failure);
  write("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
  EXPECT_EQ(check_interrupt_remapping(paths()).grade, Grade::warning);
  write("proc/interrupts", " 0: 165 0 IR-IO-APIC 2-edge timer\n");
  EXPECT_EQ(check_interrupt_remapping(paths()).grade, Grade::ok);
}

TEST_F(ChecksTest, a_card_that_was_bound_for_good) {
  add_device("0000:00:19.0", "0x020000", 3, "vfio-pci");
  Binding binding;
  binding.devices = {{"0000:00:19.0", "8086:10d3", "e1000e", {}, "", {}}};
  StateFile(paths()).save(State{{binding}});
  EXPECT_TRUE(check_persistent(paths()).empty());
  binding.persistent = true;
  StateFile(paths()).save(State{{binding}});
  ASSERT_EQ(check_persistent(paths()).size(), 1U);
  EXPECT_EQ(check_persistent(paths())[0].grade, Grade::ok);
  std::filesystem::remove(paths().pci_device("0000:00:19.0") / "driver");
  EXPECT_THAT(check_persistent(paths())[0].text, HasSubstr("is there, but has no driver"));
  EXPECT_EQ(check_persistent(paths())[0].grade, Grade::failure);
  write("sys/devices/pci0000:00/0000:00:19.0/device", "0x10d4\n");
  EXPECT_THAT(check_persistent(paths())[0].text, HasSubstr("vendor:device is 8086:10d4"));
  EXPECT_EQ(check_persistent(paths())[0].grade, Grade::failure);
}

TEST_F(ChecksTest, a_card_that_was_bound_for_good_and_has_moved) {
  const std::string directory = add_device("0000:00:1a.0", "0x020000", 3, "vfio-pci");
  std::string config(0x1000, '\0');
  config[0x100] = 3;
  config[0x104] = 1;
  write(directory + "/config", config);
  Binding binding;
  binding.persistent = true;
  binding.devices = {{"0000:00:19.0", "8086:10d3", "e1000e", {}, "", {}}};
  binding.devices[0].serial = "00-00-00-00-00-00-00-01";
  StateFile(paths()).save(State{{binding}});
  EXPECT_EQ(check_persistent(paths()).at(0).grade, Grade::warning);
  EXPECT_EQ(check_persistent(paths())[0].remedy, "vfio-setup bind 0000:00:1a.0 --persist");
}

TEST_F(ChecksTest, vfio_modules) {
  write("lib/modules/6.1/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/vfio.ko\n");
  EXPECT_THAT(check_vfio_modules(paths(), "6.1").text, HasSubstr("vfio_iommu_type1 is missing"));
  write("lib/modules/6.1/modules.builtin", "kernel/drivers/vfio/vfio_iommu_type1.ko\n");
  EXPECT_EQ(check_vfio_modules(paths(), "6.1").grade, Grade::ok);
}

}  // namespace
}  // namespace vfio_setup
