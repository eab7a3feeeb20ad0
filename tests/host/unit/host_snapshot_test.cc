// What is read from sysfs and procfs, from a tree of files.
#include "host_snapshot.h"

#include <gmock/gmock.h>

#include "fake_host.h"
#include "usb_nic.h"
#include "verdict.h"

namespace vfio_setup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using HostSnapshotTest = FakeHost;

const PciDevice& device(const HostSnapshot& host, const std::string& address) {
  const PciDevice* found = host.find(address);
  if (found == nullptr) throw std::runtime_error("no " + address);
  return *found;
}

TEST_F(HostSnapshotTest, reads_a_nic_with_its_group_driver_and_interface) {
  const auto nic = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  write(nic + "/reset_method", "flr pm\n");
  write(nic + "/numa_node", "1\n");
  add_interface(nic, "eno1", true);
  const HostSnapshot host = read_host(paths());
  const PciDevice& found = device(host, "0000:00:19.0");
  EXPECT_EQ(found.ids(), "8086:10d3");
  EXPECT_EQ(found.driver, "e1000e");
  EXPECT_EQ(found.iommu_group, 3);
  EXPECT_EQ(found.numa_node, 1);
  EXPECT_EQ(found.driver_override, "");
  EXPECT_THAT(found.reset_methods, ElementsAre("flr", "pm"));
  ASSERT_EQ(host.interfaces_of(found).size(), 1U);
  EXPECT_TRUE(host.interfaces_of(found).front()->up);
  EXPECT_TRUE(judge(host, found).can_be_passed());
}

TEST_F(HostSnapshotTest, wireless_is_told_by_class_or_by_the_interface) {
  add_device("0000:00:01.0", "0x028000", 1, "iwlwifi");
  const auto by_interface = add_device("0000:00:02.0", "0x020000", 2, "brcmfmac");
  add_interface(by_interface, "wlan0", false);
  write(by_interface + "/net/wlan0/phy80211/index", "0");
  add_device("0000:00:03.0", "0x020000", 3, "e1000e");
  const HostSnapshot host = read_host(paths());
  EXPECT_TRUE(host.is_wireless(device(host, "0000:00:01.0")));
  EXPECT_TRUE(host.is_wireless(device(host, "0000:00:02.0")));
  EXPECT_FALSE(host.is_wireless(device(host, "0000:00:03.0")));
}

TEST_F(HostSnapshotTest, default_route_over_a_bridge_counts_for_the_nic_below) {
  const auto nic = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  add_interface(nic, "eno1", true);
  link("sys/class/net/eno1/upper_br0", "sys/devices/virtual/net/br0");
  link("sys/class/net/br0", "sys/devices/virtual/net/br0");
  add_default_route("br0");
  const HostSnapshot host = read_host(paths());
  const Verdict verdict = judge(host, device(host, "0000:00:19.0"));
  EXPECT_THAT(verdict.in_use, ElementsAre(HasSubstr("carries the default route of br0")));
}

TEST_F(HostSnapshotTest, a_port_of_a_bridge_is_use_with_no_address_and_no_route) {
  const auto nic = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  add_interface(nic, "eno1", true);
  add_upper("eno1", "br0", "bridge");
  const HostSnapshot host = read_host(paths());
  EXPECT_THAT(judge(host, device(host, "0000:00:19.0")).in_use,
              ElementsAre(HasSubstr("interface eno1 is a port of the bridge br0")));
}

TEST_F(HostSnapshotTest, what_a_vlan_or_another_interface_stands_on_is_use) {
  const auto nic = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  add_interface(nic, "eno1", false);
  add_upper("eno1", "eno1.7", "vlan");
  add_upper("eno1.7", "macvtap0", "macvtap");
  const HostSnapshot host = read_host(paths());
  EXPECT_THAT(judge(host, device(host, "0000:00:19.0")).in_use,
              ElementsAre(HasSubstr("interface eno1 is what vlan eno1.7 stands on")));
  EXPECT_THAT(judge(host, device(host, "0000:00:19.0")).impossible,
              ElementsAre(HasSubstr("macvtap0 stands on interface eno1.7")));
}

TEST_F(HostSnapshotTest, a_rejecting_ipv6_default_route_is_none) {
  const auto nic = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  add_interface(nic, "eno1", true);
  const std::string zeros(32, '0');
  write("proc/net/ipv6_route",
        zeros + " 00 " + zeros + " 00 " + zeros + " ffffffff 00000001 00000000 00200200 eno1\n");
  EXPECT_EQ(read_host_use(paths()).interfaces.front().default_route, "");
  write("proc/net/ipv6_route",
        zeros + " 00 " + zeros + " 00 " + zeros + " 00000400 00000001 00000000 00450003 eno1\n");
  EXPECT_EQ(read_host_use(paths()).interfaces.front().default_route, "eno1");
}

TEST_F(HostSnapshotTest, mounted_storage_in_the_group_is_use) {
  add_device("0000:00:1c.0/0000:01:00.0", "0x020000", 4, "e1000e");
  const auto disk = add_device("0000:00:1c.0/0000:01:00.1", "0x010802", 4, "nvme");
  write(disk + "/nvme/nvme0/nvme0n1/nvme0n1p1/dev", "259:1\n");
  link("sys/class/block/nvme0n1p1", disk + "/nvme/nvme0/nvme0n1/nvme0n1p1");
  const HostSnapshot before = read_host(paths());
  EXPECT_TRUE(judge(before, device(before, "0000:01:00.0")).can_be_passed());
  write("proc/self/mountinfo", "22 1 259:1 / /srv rw,relatime shared:1 - ext4 /dev/root rw\n");
  const HostSnapshot after = read_host(paths());
  EXPECT_THAT(judge(after, device(after, "0000:01:00.0")).in_use,
              ElementsAre(HasSubstr("nvme0n1p1 is in use (mounted at /srv)")));
}

TEST_F(HostSnapshotTest, an_nvme_disk_with_multipath_counts_for_each_of_its_controllers) {
  add_device("0000:00:1c.0/0000:01:00.0", "0x020000", 4, "e1000e");
  for (const char* address : {"0000:01:00.1", "0000:02:00.0"}) {
    const std::string path = std::string("0000:00:1c.0/") + address;
    const auto controller = add_device(path, "0x010802", address[6] == '1' ? 4 : 5, "nvme");
    const std::string name = address[6] == '1' ? "nvme0" : "nvme1";
    link("sys/devices/virtual/nvme-subsystem/nvme-subsys0/" + name, controller + "/nvme/" + name);
  }
  const std::string disk = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1";
  write(disk + "/nvme0n1p1/dev", "259:1\n");
  link("sys/class/block/nvme0n1p1", disk + "/nvme0n1p1");
  write("proc/self/mountinfo", "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n");
  const HostSnapshot host = read_host(paths());
  EXPECT_THAT(judge(host, device(host, "0000:01:00.0")).in_use,
              ElementsAre(HasSubstr("0000:01:00.1: storage nvme0n1p1 is in use (mounted at /)")));
  EXPECT_THAT(judge(host, device(host, "0000:02:00.0")).in_use,
              ElementsAre(HasSubstr("nvme0n1p1 is in use")));
}

TEST_F(HostSnapshotTest, usb_nic_names_its_controller_and_what_else_hangs_there) {
  const auto controller = add_device("0000:00:14.0", "0x0c0330", 5, "xhci_hcd");
  const auto nic = controller + "/usb1/1-2";
  write(nic + "/product", "USB LAN\n");
  write(nic + "/bDeviceClass", "00\n");
  write(nic + "/1-2:1.0/bInterfaceClass", "02\n");
  add_interface(nic + "/1-2:1.0", "enx0", true);
  link("sys/bus/usb/devices/1-2", nic);
  write(controller + "/usb1/1-3/product", "Keyboard\n");
  link("sys/bus/usb/devices/1-3", controller + "/usb1/1-3");
  write(controller + "/usb1/1-4/bDeviceClass", "09\n");  // a hub
  link("sys/bus/usb/devices/1-4", controller + "/usb1/1-4");
  const HostSnapshot host = read_host(paths());
  const auto nics = usb_nics(host);
  ASSERT_EQ(nics.size(), 1U);
  EXPECT_EQ(nics[0].product, "USB LAN");
  EXPECT_EQ(nics[0].controller->address, "0000:00:14.0");
  ASSERT_EQ(nics[0].others.size(), 1U);
  EXPECT_EQ(nics[0].others[0]->product, "Keyboard");
  EXPECT_FALSE(host.is_nic(*nics[0].controller));
}

TEST_F(HostSnapshotTest, boot_display_in_the_group_is_use) {
  add_device("0000:00:19.0", "0x020000", 3, "e1000e");
  const auto display = add_device("0000:00:02.0", "0x030000", 3, "");
  write(display + "/boot_vga", "1\n");
  const HostSnapshot host = read_host(paths());
  EXPECT_THAT(judge(host, device(host, "0000:00:19.0")).in_use,
              ElementsAre(HasSubstr("boot display")));
}

TEST_F(HostSnapshotTest, an_empty_machine_has_nothing) {
  const HostSnapshot host = read_host(paths());
  EXPECT_THAT(host.devices, IsEmpty());
  EXPECT_THAT(host.use.interfaces, IsEmpty());
}

}  // namespace
}  // namespace vfio_setup
