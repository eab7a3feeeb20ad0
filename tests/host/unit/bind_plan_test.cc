// Which functions bind moves, and what it refuses.
#include "bind_plan.h"

#include <gmock/gmock.h>

namespace vfio_setup {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

PciDevice function(const std::string& address, int group, const std::string& driver = "e1000e",
                   std::uint16_t class_code = 0x0200) {
  PciDevice device;
  device.address = address;
  device.class_code = class_code;
  device.driver = driver;
  device.iommu_group = group;
  device.reset_methods = {"flr"};
  return device;
}

NetInterface interface(const std::string& owner, const std::string& name, bool up,
                       const std::string& default_route = "") {
  NetInterface interface;
  interface.owner = owner;
  interface.name = name;
  interface.up = up;
  interface.default_route = default_route;
  return interface;
}

std::string refusal(const HostSnapshot& host, const std::string& request, bool force = false) {
  try {
    plan_bind(host, request, force, {});
    return "";
  } catch (const Refusal& error) {
    return error.what();
  }
}

std::vector<std::string> addresses(const BindPlan& plan) {
  std::vector<std::string> names;
  for (const PciDevice* device : plan.devices) names.push_back(device->address);
  return names;
}

TEST(BindPlan, whole_group_without_its_bridge) {
  const HostSnapshot host{
      {function("0000:00:05.0", 4, "pcieport", 0x0604), function("0000:01:00.0", 4),
       function("0000:01:00.1", 4), function("0000:02:00.0", 5)},
      {}};
  EXPECT_THAT(addresses(plan_bind(host, "0000:01:00.0", false, {})),
              ElementsAre("0000:01:00.0", "0000:01:00.1"));
}

TEST(BindPlan, address_as_lspci_prints_it) {
  const HostSnapshot host{{function("0000:01:00.0", 4)}, {}};
  EXPECT_EQ(plan_bind(host, "01:00.0", false, {}).target->address, "0000:01:00.0");
}

TEST(BindPlan, auto_takes_the_only_candidate) {
  HostSnapshot host{{function("0000:01:00.0", 4), function("0000:02:00.0", 5)}, {}};
  host.use.interfaces = {interface("0000:01:00.0", "eth0", true, "eth0")};
  EXPECT_EQ(plan_bind(host, "auto", false, {}).target->address, "0000:02:00.0");
}

TEST(BindPlan, auto_lists_several_candidates) {
  const HostSnapshot host{{function("0000:01:00.0", 4), function("0000:02:00.0", 5)}, {}};
  EXPECT_THAT(refusal(host, "auto"),
              testing::AllOf(HasSubstr("0000:01:00.0"), HasSubstr("0000:02:00.0")));
}

TEST(BindPlan, auto_means_the_nic_that_is_bound_already) {
  const HostSnapshot host{{function("0000:01:00.0", 4), function("0000:02:00.0", 5, "vfio-pci")},
                          {}};
  EXPECT_EQ(plan_bind(host, "auto", false, {"0000:02:00.0"}).target->address, "0000:02:00.0");
}

TEST(BindPlan, auto_without_candidate_says_why_for_each) {
  HostSnapshot host{{function("0000:01:00.0", 4)}, {}};
  host.use.interfaces = {interface("0000:01:00.0", "eth0", true, "eth0")};
  EXPECT_THAT(refusal(host, "auto"), HasSubstr("has the default route"));
  EXPECT_THAT(refusal({}, "auto"), HasSubstr("no NIC"));
}

TEST(BindPlan, an_interface_that_is_up_with_an_address_is_use) {
  HostSnapshot host{{function("0000:01:00.0", 4)}, {}};
  host.use.interfaces = {interface("0000:01:00.0", "eth0", true)};
  EXPECT_EQ(refusal(host, "01:00.0"), "");
  host.use.interfaces[0].address = "192.0.2.1";
  EXPECT_THAT(refusal(host, "01:00.0"), HasSubstr("eth0 is up with address 192.0.2.1"));
  EXPECT_EQ(refusal(host, "01:00.0", true), "");
}

TEST(BindPlan, a_used_virtual_function_is_use_of_what_it_belongs_to) {
  HostSnapshot host{{function("0000:01:00.0", 4), function("0000:01:10.0", 5)}, {}};
  host.devices[0].virtual_functions = {"0000:01:10.0"};
  EXPECT_EQ(refusal(host, "01:00.0"), "");
  host.use.interfaces = {interface("0000:01:10.0", "eth0v0", true, "eth0v0")};
  EXPECT_THAT(refusal(host, "01:00.0"), HasSubstr("eth0v0 has the default route"));
  host.use.interfaces.clear();
  host.devices[1].driver = "vfio-pci";
  EXPECT_THAT(refusal(host, "01:00.0"), HasSubstr("0000:01:10.0: is a virtual function of"));
}

TEST(BindPlan, virtual_functions_in_the_group_of_their_card_are_not_moved) {
  HostSnapshot host{{function("0000:01:00.0", 4), function("0000:01:00.1", 4, "")}, {}};
  host.devices[0].virtual_functions = {"0000:01:00.1"};
  const BindPlan plan = plan_bind(host, "01:00.0", false, {});
  EXPECT_THAT(addresses(plan), ElementsAre("0000:01:00.0"));
  EXPECT_THAT(describe(host, plan), Contains(HasSubstr("remove its virtual functions")));
  EXPECT_THAT(refusal(host, "01:00.1"), HasSubstr("pass the card"));
}

TEST(BindPlan, force_overrides_use_but_not_the_impossible) {
  HostSnapshot host{{function("0000:01:00.0", 4), function("0000:02:00.0", 5)}, {}};
  host.use.interfaces = {interface("0000:01:00.0", "eth0", true, "eth0")};
  host.devices[1].iommu_group.reset();
  EXPECT_THAT(refusal(host, "01:00.0"), HasSubstr("default route"));
  EXPECT_THAT(plan_bind(host, "01:00.0", true, {}).overridden, SizeIs(1));
  EXPECT_THAT(refusal(host, "02:00.0", true), HasSubstr("no IOMMU group"));
}

TEST(BindPlan, a_driver_of_unknown_use_in_the_group_is_use) {
  const HostSnapshot host{
      {function("0000:01:00.0", 4), function("0000:01:00.1", 4, "snd_hda_intel", 0x0403)}, {}};
  EXPECT_THAT(refusal(host, "01:00.0"), HasSubstr("snd_hda_intel"));
}

TEST(BindPlan, a_bridge_with_a_driver_of_its_own_spoils_the_group) {
  const HostSnapshot host{
      {function("0000:00:1f.0", 4, "lpc_ich", 0x0601), function("0000:00:1f.6", 4)}, {}};
  EXPECT_THAT(refusal(host, "00:1f.6", true), HasSubstr("lpc_ich"));
}

TEST(BindPlan, description_names_interfaces_and_drivers) {
  HostSnapshot host{{function("0000:01:00.0", 4)}, {}};
  host.use.interfaces = {interface("0000:01:00.0", "eth0", true)};
  const auto steps = describe(host, plan_bind(host, "01:00.0", false, {}));
  EXPECT_THAT(steps, ElementsAre("load vfio-pci", "take down interface eth0",
                                 HasSubstr("driver e1000e -> vfio-pci")));
}

TEST(BindPlan, done_when_bound_and_overridden) {
  HostSnapshot host{{function("0000:01:00.0", 4, "vfio-pci")}, {}};
  EXPECT_FALSE(plan_bind(host, "01:00.0", false, {}).is_done());
  host.devices[0].driver_override = "vfio-pci";
  EXPECT_TRUE(plan_bind(host, "01:00.0", false, {}).is_done());
}

}  // namespace
}  // namespace vfio_setup
