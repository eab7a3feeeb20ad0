#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "topology/address.h"
#include "topology/dependencies.h"
#include "topology/topology_check.h"
#include "topology/topology_file.h"

namespace launcher {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Topology read(const std::string& text) {
  return read_topology(text, "/etc/lab/net.toml");
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const TopologyError& error) {
    return error.what();
  }
  return "no error";
}

const std::string kTwo = R"([defaults]
kernel = "vmlinuz"
[[vm]]
name = "router"
initramfs = "router.initramfs"
devices = ["auto"]
[vm.router]
[[vm]]
name = "app"
initramfs = "/images/app.initramfs"
depends = ["router"]
net = { isolated = true }
)";

TEST(Topology, ShortestUsefulFile) {
  EXPECT_LT(std::count(kTwo.begin(), kTwo.end(), '\n'), 15);
  const Topology topology = read(kTwo);
  EXPECT_EQ(topology.name, "net");
  ASSERT_EQ(topology.vms.size(), 2u);
  const VmConfig& router = topology.vms[0];
  EXPECT_EQ(router.kernel, "/etc/lab/vmlinuz");
  EXPECT_EQ(router.initramfs, "/etc/lab/router.initramfs");
  EXPECT_TRUE(router.router);
  EXPECT_EQ(router.nets.at(0).address, "10.64.0.1");
  const VmConfig& app = topology.vms[1];
  EXPECT_EQ(app.initramfs, "/images/app.initramfs");
  EXPECT_TRUE(app.nets.at(0).isolated.value());
  EXPECT_FALSE(router.nets.at(0).isolated.value());
  EXPECT_EQ(topology.switches.at(0).segment, "default");
  EXPECT_TRUE(topology.switches.at(0).start);
}

TEST(Topology, EveryKey) {
  const Topology topology = read(R"(name = "lab"
[mac]
oui = "0a:bb:cc"
[users]
first = 70000
last = 70010
[[switch]]
segment = "inside"
workers = "1"
poll = "busy"
network = "10.99.0.0/16"
[[switch]]
segment = "outside"
control_socket = "/run/switchd/control.sock"
[[vm]]
name = "vpn"
vmm = "qemu"
kernel = "k"
command_line = "console=ttyS0"
cpus = 2
memory = "128M"
landlock = "off"
user = "nobody"
power_button_grace = "5s"
disk = [{ path = "a.img" }, { path = "b.img", readonly = true }]
restart = { policy = "always", first_delay = "10ms", most_delay = "1m" }
ready = { address = "10.99.0.5", console_line = "up", within = 9 }
[[vm.net]]
segment = "inside"
mac = "02:00:00:00:12:34"
mtu = 9000
queues = 2
[[vm.net]]
segment = "outside"
address = "10.1.2.3"
)");
  const VmConfig& vm = topology.vms.at(0);
  EXPECT_EQ(vm.vmm, VmmKind::qemu);
  EXPECT_EQ(vm.memory, 128u << 20);
  EXPECT_EQ(vm.restart.first_delay.count(), 10);
  EXPECT_EQ(vm.restart.most_delay.count(), 60'000);
  EXPECT_EQ(vm.ready.within.count(), 9);
  EXPECT_TRUE(vm.disks.at(1).readonly);
  EXPECT_EQ(vm.nets.at(0).address, "10.99.18.52");
  EXPECT_EQ(vm.nets.at(0).mtu, 9000);
  EXPECT_THAT(vm.nets.at(1).mac, StartsWith("0a:bb:cc:"));
  EXPECT_EQ(vm.nets.at(1).address, "10.1.2.3");
  EXPECT_FALSE(topology.switches.at(1).start);
  EXPECT_EQ(topology.first_user, 70'000u);
}

struct Wrong {
  std::string text;
  std::string line;
  std::string words;
};

TEST(Topology, ErrorsNameFileLineAndKey) {
  const std::string vm = "[[vm]]\nname = \"a\"\nkernel = \"k\"\n";
  const Wrong wrongs[] = {
      {"", "net.toml", "no [[vm]]"},
      {"x = ", "net.toml:1", "not TOML"},
      {vm + "colour = 1\n", "net.toml:4: key 'colour'", "unknown; [vm] knows command_line, cpus"},
      {vm + "cpus = \"two\"\n", "net.toml:4: key 'cpus'", "whole number"},
      {vm + "cpus = 0\n", "net.toml:4: key 'cpus'", "out of range"},
      {vm + "memory = \"64\"\n", "net.toml:4: key 'memory'", "no size"},
      {vm + "memory = \"1M\"\n", "net.toml:4: key 'memory'", "16M or more"},
      {vm + "vmm = \"vbox\"\n", "net.toml:4: key 'vmm'", "cloud-hypervisor, qemu"},
      {vm + "depends = [\"b\"]\n", "net.toml:4: key 'depends'", "no VM 'b'"},
      {vm + "depends = [\"a\"]\n", "net.toml:4: key 'depends'", "depend on each other: a"},
      {vm + "devices = [\"eth0\"]\n", "net.toml:4: key 'devices'", "no PCI address"},
      {vm + "user = \"root\"\n", "net.toml:4: key 'user'", "no VMM runs as root"},
      {vm + "[vm.net]\nsegment = \"x\"\n", "net.toml:4: key 'segment'", "there is default"},
      {vm + "[vm.net]\nmac = \"01:00:00:00:00:02\"\n", "net.toml:5: key 'mac'", "station"},
      {vm + "[vm.net]\nmac = \"zz\"\n", "net.toml:5: key 'mac'", "no MAC"},
      {vm + "[vm.ready]\nwithin = \"soon\"\n", "net.toml:5: key 'within'", "no time"},
      {vm + "[[vm.net]]\nmtu = 1279\n", "net.toml:5: key 'mtu'", "from 1280 to 9216"},
      {vm + "[vm.restart]\npolicy = \"maybe\"\n", "net.toml:5: key 'policy'", "on-failure"},
      {vm + "[vm.router]\n", "net.toml:4: key 'router'", "initramfs"},
      {vm + vm, "net.toml:5: key 'name'", "is there already (/etc/lab/net.toml:1)"},
      {"[[vm]]\nname = \"a\"\n", "net.toml:1: key 'kernel'", "missing"},
      {"[[vm]]\nkernel = \"a\"\n", "net.toml:1: [vm]: key 'name'", "missing"},
      {"[[vm]]\nname = \"A_\"\n", "net.toml:2: key 'name'", "letters"},
      {"[[switch]]\n[[switch]]\n" + vm, "net.toml:2: key 'segment'", "there already"},
      {"[switch]\ncontrol_socket = \"/s\"\npoll = \"busy\"\n" + vm, "net.toml:3: key 'poll'",
       "runs already"},
      {"[mac]\noui = \"01:00:00\"\n" + vm, "net.toml:2: key 'oui'", "even"},
      {"[users]\nfirst = 5\nlast = 4\n" + vm, "net.toml:3: key 'last'", "below"},
  };
  for (const Wrong& wrong : wrongs) {
    const std::string error = error_of(wrong.text);
    EXPECT_THAT(error, HasSubstr(wrong.line)) << wrong.text;
    EXPECT_THAT(error, HasSubstr(wrong.words)) << wrong.text;
  }
}

TEST(Topology, WhatTheRouterIsToldIsChecked) {
  const auto with = [](const std::string& line) {
    std::string text = kTwo;
    text.insert(text.find("[vm.router]\n") + 12, line + "\n");
    return error_of(text);
  };
  EXPECT_EQ(with("forward = [\"tcp/8022 -> app:22\", \"udp/8022 -> app:22\"]"), "no error");
  EXPECT_THAT(with("forward = [\"8022 to app\"]"), HasSubstr("cannot be read"));
  EXPECT_THAT(with("forward = [\"tcp/70000 -> app:22\"]"), HasSubstr("no port 70000"));
  EXPECT_THAT(with("forward = [\"tcp/1 -> web:22\"]"), HasSubstr("no VM 'web'"));
  EXPECT_THAT(with("forward = [\"tcp/1 -> app:22\", \"tcp/1 -> app:23\"]"), HasSubstr("already"));
  EXPECT_THAT(with("allow_between = [\"app -> db\"]"), HasSubstr("no VM 'db'"));
}

TEST(Topology, ADeviceOrDiskBelongsToOneVm) {
  const std::string a = "[[vm]]\nname = \"a\"\nkernel = \"k\"\n";
  const std::string b = "[[vm]]\nname = \"b\"\nkernel = \"k\"\n";
  const std::string device = "devices = [\"00:19.0\"]\n";
  EXPECT_THAT(error_of(a + device + b + device), HasSubstr("'0000:00:19.0' is given to VM 'a'"));
  EXPECT_THAT(error_of(a + "disk = { path = \"d\" }\n" + b + "disk = { path = \"./d\" }\n"),
              HasSubstr("is given to VM 'a'"));
  EXPECT_EQ(error_of(a + "disk = { path = \"d\", readonly = true }\n" + b +
                     "disk = { path = \"d\", readonly = true }\n"),
            "no error");
}

std::string vm_named(const std::string& name, const std::string& more = "") {
  return "[[vm]]\nname = \"" + name + "\"\nkernel = \"k\"\n" + more;
}

TEST(Order, DependenciesComeFirst) {
  const Topology topology =
      read(vm_named("web", "depends = [\"db\", \"router\"]\n") +
           vm_named("db", "depends = \"router\"\n") + vm_named("router") + vm_named("other"));
  EXPECT_THAT(start_order(topology, {}), ElementsAre("router", "db", "web", "other"));
  EXPECT_THAT(start_order(topology, {"db"}), ElementsAre("router", "db"));
  EXPECT_THAT(dependents(topology, "router"), ElementsAre("web", "db"));
  EXPECT_THAT(dependents(topology, "web"), ElementsAre());
}

TEST(Order, ACycleIsNamed) {
  EXPECT_THAT(error_of(vm_named("a", "depends = \"b\"\n") + vm_named("b", "depends = \"c\"\n") +
                       vm_named("c", "depends = \"a\"\n")),
              HasSubstr("a -> b -> c -> a"));
}

TEST(Identity, StableWhateverElseIsThere) {
  const Topology alone = read(vm_named("app"));
  const Topology among = read(vm_named("zeta") + vm_named("app") + vm_named("b"));
  EXPECT_EQ(alone.find("app")->nets[0].mac, among.find("app")->nets[0].mac);
  EXPECT_EQ(alone.find("app")->nets[0].address, among.find("app")->nets[0].address);
  // For ever: another release must not give the VM another address.
  EXPECT_EQ(alone.find("app")->nets[0].mac, "02:00:00:f9:d3:55");
}

TEST(Identity, AddressIsTheMacsLastOctets) {
  const NetConfig net = read(vm_named("app")).vms[0].nets[0];
  const auto mac = *parse_mac(net.mac);
  EXPECT_EQ(*parse_ipv4(net.address), (*parse_ipv4("10.64.0.0") | (mac & 0xffff)));
  EXPECT_FALSE(is_group(mac));
  EXPECT_NE(mac >> 40 & 2, 0u) << "not locally administered";
}

TEST(Identity, ManyVmsShareNothing) {
  std::string text;
  for (int number = 0; number < 1500; ++number) text += vm_named("vm" + std::to_string(number));
  std::set<std::string> macs, addresses;
  int displaced = 0;
  for (const VmConfig& vm : read(text).vms) {
    EXPECT_TRUE(macs.insert(vm.nets[0].mac).second);
    EXPECT_TRUE(addresses.insert(vm.nets[0].address).second) << vm.nets[0].address;
    const NetConfig alone = read(vm_named(vm.name)).vms[0].nets[0];
    EXPECT_EQ(vm.nets[0].displaced, vm.nets[0].mac != alone.mac);
    displaced += vm.nets[0].displaced;
  }
  EXPECT_GT(displaced, 0) << "so many cannot all have the address of their name";
}

TEST(Identity, GivenOnesThatCollideAreErrors) {
  const std::string net = "[vm.net]\nmac = \"02:00:00:00:12:34\"\n";
  EXPECT_THAT(error_of(vm_named("a", net) + vm_named("b", net)), HasSubstr("is there already"));
  EXPECT_THAT(
      error_of(vm_named("a", net) + vm_named("b", "[vm.net]\nmac = \"02:00:00:01:12:34\"\n")),
      HasSubstr("address 10.64.18.52 is there already"));
  EXPECT_THAT(error_of(vm_named("a", "[vm.net]\nmac = \"02:00:00:01:00:01\"\n")),
              HasSubstr("no client can have"));
}

TEST(Identity, RouterServesASegmentByOneInterface) {
  const std::string router = "initramfs = \"r\"\nrouter = {}\n";
  EXPECT_THAT(error_of(vm_named("r", router + "[[vm.net]]\n[[vm.net]]\n")),
              HasSubstr("net.toml:7: router 'r' has an interface on segment 'default' already"));
}

TEST(Topology, NamesAreHostNames) {
  EXPECT_THAT(error_of(vm_named("a-")), HasSubstr("no '-' at its ends"));
  EXPECT_THAT(error_of(vm_named("app") + vm_named("App")),
              HasSubstr("a VM 'App' is there already"));
}

TEST(Topology, ReadyAddressIsAnAddress) {
  for (const std::string text : {"app.local", "10.64.0.1/16", "::g"}) {
    EXPECT_THAT(error_of(vm_named("a", "[vm.ready]\naddress = \"" + text + "\"\n")),
                HasSubstr("'" + text + "' is no IPv4 or IPv6 address"));
  }
  EXPECT_EQ(error_of(vm_named("a", "[vm.ready]\naddress = \"fe80::1\"\n")), "no error");
}

TEST(Topology, TimesAreNotRoundedToNothing) {
  const Topology topology =
      read(vm_named("a", "power_button_grace = \"500ms\"\n[vm.ready]\nwithin = \"1500ms\"\n"));
  EXPECT_EQ(topology.vms[0].power_button_grace.count(), 1);
  EXPECT_EQ(topology.vms[0].ready.within.count(), 2);
}

TEST(Topology, QueuesAreNotMoreThanCpus) {
  const std::string net = "[vm.net]\nqueues = 2\n";
  EXPECT_THAT(error_of(vm_named("a", net)), HasSubstr("2 pairs are more than the VM has CPUs (1)"));
  EXPECT_EQ(error_of(vm_named("a", "cpus = 2\n" + net)), "no error");
  EXPECT_EQ(error_of(vm_named("a", "vmm = \"qemu\"\n" + net)), "no error");
}

TEST(Topology, ARouterIsToldOfItsOwnClientsOnly) {
  const std::string switches = "[[switch]]\nsegment = \"one\"\n[[switch]]\nsegment = \"two\"\n";
  const auto with = [&](const std::string& key) {
    return switches +
           vm_named("r",
                    "initramfs = \"r\"\n[vm.router]\n" + key + "[[vm.net]]\nsegment = \"one\"\n") +
           vm_named("a", "[[vm.net]]\nsegment = \"one\"\n") +
           vm_named("b", "[[vm.net]]\nsegment = \"two\"\n");
  };
  EXPECT_EQ(error_of(with("forward = [\"tcp/22 -> a:22\"]\n")), "no error");
  EXPECT_THAT(error_of(with("forward = [\"tcp/22 -> b:22\"]\n")),
              HasSubstr("net.toml:10: key 'forward': VM 'b' is no client of router 'r'"));
  EXPECT_THAT(error_of(with("allow_between = [\"a -> r\"]\n")), HasSubstr("'r' is no client"));
}

TEST(Topology, ARouterServesFourSegments) {
  std::string text, nets;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    text += "[[switch]]\nsegment = \"" + std::string(name) + "\"\n";
    nets += "[[vm.net]]\nsegment = \"" + std::string(name) + "\"\n";
  }
  EXPECT_THAT(error_of(text + vm_named("r", "initramfs = \"r\"\nrouter = {}\n" + nets)),
              HasSubstr("a router serves up to 4 segments"));
}

TEST(Identity, ClientsOfARouterAreIsolatedUnlessTheFileSaysNot) {
  const std::string client = vm_named("a") + vm_named("b", "[vm.net]\nisolated = false\n");
  const Topology alone = read(client);
  EXPECT_FALSE(alone.vms[0].nets[0].isolated.value());
  const Topology routed = read(client + vm_named("r", "initramfs = \"r\"\nrouter = {}\n"));
  EXPECT_TRUE(routed.vms[0].nets[0].isolated.value());
  EXPECT_FALSE(routed.vms[1].nets[0].isolated.value());
  EXPECT_FALSE(routed.vms[2].nets[0].isolated.value());
}

TEST(Identity, AddressesThatARouterCannotGive) {
  const auto with = [](const std::string& router, const std::string& client) {
    return vm_named("r", "initramfs = \"r\"\nrouter = {}\n[vm.net]\n" + router) +
           vm_named("a", "[vm.net]\naddress = \"" + client + "\"\n");
  };
  EXPECT_EQ(error_of(with("", "10.64.7.7")), "no error");
  for (const char* address : {"192.168.1.5", "10.64.0.0", "10.64.255.255", "10.65.0.9"}) {
    EXPECT_THAT(error_of(with("", address)), HasSubstr("have 10.64.0.2 to 10.64.255.254"));
  }
  EXPECT_THAT(error_of(with("address = \"10.64.0.9\"\n", "10.64.7.7")),
              HasSubstr("a router has 10.64.0.1"));
}

std::string files_error(const std::string& text) {
  try {
    check_files(read(text));
  } catch (const TopologyError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Topology, UsersAreAccountsOfOneVm) {
  const auto user = [](const char* name) { return "user = \"" + std::string(name) + "\"\n"; };
  EXPECT_THAT(files_error(vm_named("a", user("nobody-here"))),
              HasSubstr("net.toml:4: key 'user': there is no user 'nobody-here'"));
  EXPECT_THAT(files_error(vm_named("a", user("99999999999"))), HasSubstr("there is no user"));
  EXPECT_THAT(files_error(vm_named("a", user("daemon")) + vm_named("b", user("1"))),
              HasSubstr("'1' is the account of VM 'a' already"));
  EXPECT_THAT(files_error(vm_named("a", user("00"))), HasSubstr("'00' is root"));
}

TEST(Topology, FilesThatAreMissing) {
  const Topology topology = read(vm_named("a"));
  try {
    check_files(topology);
    FAIL();
  } catch (const TopologyError& error) {
    EXPECT_STREQ(error.what(), "/etc/lab/net.toml:3: key 'kernel': there is no kernel /etc/lab/k");
  }
}

}  // namespace
}  // namespace launcher
