// What `ip` is told when an interface comes back, from what it said before it went.
#include "net_config.h"

#include <gmock/gmock.h>

#include "fake_host.h"
#include "fake_tools.h"

namespace vfio_setup {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class NetConfigTest : public FakeHost {
 protected:
  NetConfigTest() {
    nic_ = add_device("0000:00:19.0", "0x020000", 3, "e1000e");
    add_interface(nic_, "eno1", true);
    write("proc/sys/kernel/random/boot_id", "this boot\n");
  }

  // What eno1 has now, as `ip` prints it.
  void has(const std::string& addresses, const std::string& routes) {
    tools_.answers["ip -json address show dev eno1"] = "[{\"addr_info\":[" + addresses + "]}]";
    tools_.answers["ip -4 -json route show dev eno1"] = "[" + routes + "]";
  }

  SavedDevice save() {
    SavedDevice device{"0000:00:19.0", "8086:10d3", "e1000e", {}, "", {}};
    for (const NetInterface& interface : read_host_use(paths()).interfaces) {
      device.interfaces.push_back(save_interface(paths(), interface));
    }
    return device;
  }

  std::vector<std::string> bring_back_again() {
    const SavedDevice device = save();
    tools_.commands.clear();
    return bring_back(paths(), device);
  }

  std::string nic_;
  FakeTools tools_;
};

TEST_F(NetConfigTest, a_gateway_outside_of_all_networks_stays_on_the_link) {
  has("", R"({"dst":"default","gateway":"10.1.1.1","protocol":"static","flags":["onlink"]})");
  bring_back_again();
  EXPECT_THAT(tools_.commands,
              Contains("ip -4 route replace default via 10.1.1.1 dev eno1 onlink proto static"));
}

TEST_F(NetConfigTest, other_flags_of_a_route_are_states_and_no_wishes) {
  has("", R"({"dst":"192.0.2.0/24","scope":"link","flags":["linkdown"]})");
  bring_back_again();
  EXPECT_THAT(tools_.commands, Contains("ip -4 route replace 192.0.2.0/24 dev eno1 scope link"));
}

TEST_F(NetConfigTest, a_point_to_point_address_keeps_its_other_end) {
  has(R"({"family":"inet","local":"10.0.0.1","address":"10.0.0.2","prefixlen":32,
          "scope":"global"})",
      "");
  bring_back_again();
  EXPECT_THAT(tools_.commands, Contains("ip address replace 10.0.0.1 peer 10.0.0.2/32 dev eno1"));
}

TEST_F(NetConfigTest, a_gateway_of_the_other_family) {
  has("", R"({"dst":"default","via":{"family":"inet6","host":"fe80::1"},"flags":[]})");
  bring_back_again();
  EXPECT_THAT(tools_.commands, Contains("ip -4 route replace default via inet6 fe80::1 dev eno1"));
}

TEST_F(NetConfigTest, a_route_over_several_hops_takes_those_that_are_there) {
  add_interface(add_device("0000:00:1a.0", "0x020000", 4, "e1000e"), "eno2", false);
  tools_.answers["ip -4 -json route show"] =
      R"([{"dst":"default","gateway":"192.0.2.9","dev":"eno1","flags":[]},
          {"dst":"198.51.100.0/24","flags":[],"nexthops":[{"gateway":"10.1.1.1","dev":"eno2",
           "weight":1,"flags":[]}]},
          {"dst":"203.0.113.0/24","protocol":"static","metric":7,"flags":[],"nexthops":[
           {"gateway":"10.1.1.1","dev":"eno1","weight":3,"flags":["onlink","linkdown"]},
           {"gateway":"10.1.2.1","dev":"eno2","weight":1,"flags":[]}]}])";
  SavedDevice device = save();
  device.interfaces.resize(1);  // the other one is another card's
  tools_.commands.clear();
  bring_back(paths(), device);
  const std::string route =
      "ip -4 route replace 203.0.113.0/24 proto static metric 7 "
      "nexthop via 10.1.1.1 dev eno1 onlink weight 3";
  EXPECT_THAT(tools_.commands, ElementsAre("ip link set dev eno1 up",
                                           route + " nexthop via 10.1.2.1 dev eno2 weight 1"));
  std::filesystem::remove(root_ / "sys/class/net/eno2");
  tools_.commands.clear();
  bring_back(paths(), device);
  EXPECT_THAT(tools_.commands, ElementsAre("ip link set dev eno1 up", route));
}

TEST_F(NetConfigTest, addresses_of_an_earlier_boot_do_not_come_back) {
  has(R"({"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"global"})", "");
  const SavedDevice device = save();
  write("proc/sys/kernel/random/boot_id", "next boot\n");
  tools_.commands.clear();
  bring_back(paths(), device);
  EXPECT_THAT(tools_.commands, ElementsAre("ip link set dev eno1 up"));
}

TEST_F(NetConfigTest, one_interface_that_is_missing_does_not_keep_the_others_from_coming_back) {
  has(R"({"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"global"})", "");
  SavedDevice device = save();
  SavedInterface gone;
  gone.name = "eno2";
  gone.up = true;
  device.interfaces.insert(device.interfaces.begin(), gone);
  const auto warnings = bring_back(paths(), device, std::chrono::milliseconds(1));
  EXPECT_THAT(tools_.commands, Contains("ip address replace 192.0.2.1/24 dev eno1"));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("its interface eno2 is not")));
}

TEST_F(NetConfigTest, a_port_of_a_bond_comes_back_to_it_with_its_mtu) {
  tools_.answers["ip -json -details link show dev eno1"] =
      R"([{"mtu":9000,"address":"52:00:00:00:00:01","permaddr":"52:00:00:00:00:02",
           "master":"bond0","linkinfo":{"info_slave_kind":"bond"}}])";
  bring_back_again();
  EXPECT_THAT(tools_.commands,
              ElementsAre("ip link set dev eno1 mtu 9000", "ip link set dev eno1 down",
                          "ip link set dev eno1 master bond0", "ip link set dev eno1 up"));
}

TEST_F(NetConfigTest, a_port_of_a_bridge_keeps_its_options) {
  // As `ip` prints them: states and names of other things among them.
  tools_.answers["ip -json -details link show dev eno1"] =
      R"([{"master":"br0","linkinfo":{"info_slave_kind":"bridge","info_slave_data":{
           "state":"disabled","priority":9,"cost":7,"hairpin":true,"learning":false,
           "id":"0x2401","hold_timer":0.00,"multicast_router":1,"group_fwd_mask":"0x8",
           "group_fwd_mask_str":"0x8","isolated":true}}}])";
  bring_back_again();
  EXPECT_THAT(tools_.commands,
              ElementsAre("ip link set dev eno1 master br0",
                          "ip link set dev eno1 type bridge_slave cost 7 group_fwd_mask 0x8 "
                          "hairpin on isolated on learning off mcast_router 1 priority 9",
                          "ip link set dev eno1 up"));
}

TEST_F(NetConfigTest, a_mac_address_that_was_set_is_set_again) {
  tools_.answers["ip -json -details link show dev eno1"] =
      R"([{"address":"52:00:00:00:00:01","permaddr":"52:00:00:00:00:02"}])";
  bring_back_again();
  EXPECT_THAT(tools_.commands, Contains("ip link set dev eno1 address 52:00:00:00:00:01"));
}

TEST_F(NetConfigTest, a_vlan_is_made_again_with_all_that_it_had) {
  add_upper("eno1", "lan", "vlan");
  tools_.answers["ip -json -details link show dev lan"] =
      R"([{"mtu":1400,"flags":["UP"],"master":"br0","linkinfo":{"info_kind":"vlan",
           "info_data":{"protocol":"802.1ad","id":7,"flags":["REORDER_HDR"],
           "ingress_qos":[{"from":1,"to":2}],"egress_qos":[{"from":0,"to":3},{"from":4,"to":5}]},
           "info_slave_kind":"bridge"}}])";
  tools_.answers["ip -json address show dev lan"] =
      R"([{"addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"global"}]}])";
  tools_.answers["ip -4 -json route show dev lan"] = R"([{"dst":"default","gateway":"192.0.2.9"}])";
  const SavedDevice device = save();
  tools_.commands.clear();
  // The kernel, asked for it, would make it again; here it is there when it is looked for.
  bring_back(paths(), device);
  EXPECT_THAT(tools_.commands,
              ElementsAre("ip link set dev eno1 up", "ip link set dev lan mtu 1400",
                          "ip link set dev lan master br0", "ip link set dev lan up",
                          "ip address replace 192.0.2.1/24 dev lan",
                          "ip -4 route replace default via 192.0.2.9 dev lan"));
  std::filesystem::remove(root_ / "sys/class/net/lan");
  tools_.commands.clear();
  bring_back(paths(), device);
  EXPECT_THAT(tools_.commands, Contains("ip link add link eno1 name lan type vlan protocol 802.1ad "
                                        "id 7 reorder_hdr on gvrp off mvrp off loose_binding off "
                                        "ingress-qos-map 1:2 egress-qos-map 0:3 4:5"));
}

}  // namespace
}  // namespace vfio_setup
