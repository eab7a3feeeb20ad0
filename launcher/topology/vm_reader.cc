#include "topology/vm_reader.h"

#include <regex>

#include "topology/address.h"
#include "topology/toml_table.h"

namespace launcher {
namespace {

// Longest that fits a host name's label beside other things made from it (RFC 1123, 2.1).
bool is_name(const std::string& text) {
  static const std::regex kName("[A-Za-z0-9]([A-Za-z0-9-]{0,29}[A-Za-z0-9])?");
  return std::regex_match(text, kName);
}

void read_restart(TomlTable table, RestartConfig& restart) {
  if (const auto policy = table.choice("policy", {"never", "on-failure", "always"})) {
    restart.policy = static_cast<RestartPolicy>(*policy);
  }
  set(restart.first_delay, table.duration("first_delay"));
  set(restart.most_delay, table.duration("most_delay"));
  if (restart.first_delay.count() == 0) table.fail("first_delay", "must be more than nothing");
  if (restart.most_delay < restart.first_delay) {
    table.fail("most_delay", "must not be less than first_delay");
  }
  table.finish();
}

void read_ready(TomlTable table, ReadyConfig& ready) {
  set(ready.address, table.text("address"));
  if (!ready.address.empty() && !is_ip(ready.address)) {
    table.fail("address", "'" + ready.address + "' is no IPv4 or IPv6 address");
  }
  set(ready.console_line, table.text("console_line"));
  if (const auto within = table.duration("within")) {
    ready.within = std::chrono::ceil<std::chrono::seconds>(*within);
  }
  if (ready.within.count() == 0) table.fail("within", "must be a second or more");
  table.finish();
}

RouterConfig read_router(TomlTable table, std::map<std::string, std::string>& origins) {
  RouterConfig router;
  set(router.forward, table.texts("forward"));
  set(router.allow_between, table.texts("allow_between"));
  set(router.wireless_networks, table.path("wireless_networks"));
  table.add_origins(origins);
  table.finish();
  return router;
}

std::string read_mac(TomlTable& table) {
  const auto text = table.text("mac");
  if (!text) return "";
  const auto mac = parse_mac(*text);
  if (!mac) table.fail("mac", "'" + *text + "' is no MAC address; write 02:00:00:12:34:56");
  if (is_group(*mac) || *mac == 0) {
    table.fail("mac", *text + " is no address of a station; the first octet must be even");
  }
  return mac_text(*mac);
}

NetConfig read_net(TomlTable& table) {
  NetConfig net;
  net.origin = table.origin();
  set(net.segment, table.text("segment"));
  net.mac = read_mac(table);
  set(net.mtu, table.integer("mtu", kLeastMtu, kMostMtu));
  set(net.queues, table.integer("queues", 1, kMostQueuePairs));
  net.isolated = table.boolean("isolated");
  set(net.address, table.text("address"));
  if (!net.address.empty() && !parse_ipv4(net.address)) {
    table.fail("address", "'" + net.address + "' is no IPv4 address");
  }
  table.finish();
  return net;
}

DiskConfig read_disk(TomlTable& table) {
  DiskConfig disk;
  const auto path = table.path("path");
  if (!path) table.fail("path", "is missing; a disk needs one");
  disk.path = *path;
  disk.origin = table.origin("path");
  set(disk.readonly, table.boolean("readonly"));
  table.finish();
  return disk;
}

void read_devices(TomlTable& table, VmConfig& vm) {
  set(vm.devices, table.texts("devices"));
  for (std::string& device : vm.devices) {
    if (device == "auto") continue;
    const auto address = pci_address(device);
    if (!address) {
      table.fail("devices", "'" + device +
                                "' is no PCI address; write \"0000:00:19.0\" or \"auto\" "
                                "(vfio-setup list names those there are)");
    }
    device = *address;
  }
}

}  // namespace

void read_vm_settings(TomlTable& table, VmConfig& vm) {
  constexpr int64_t kMostCpus = 255;
  constexpr uint64_t kLeastMemory = 16ull << 20, kPage = 2ull << 20;
  if (const auto vmm = table.choice("vmm", {"cloud-hypervisor", "qemu"})) {
    vm.vmm = static_cast<VmmKind>(*vmm);
  }
  set(vm.vmm_program, table.path("vmm_program"));
  set(vm.kernel, table.path("kernel"));
  set(vm.initramfs, table.path("initramfs"));
  set(vm.command_line, table.text("command_line"));
  set(vm.cpus, table.integer("cpus", 1, kMostCpus));
  set(vm.memory, table.size("memory"));
  if (vm.memory < kLeastMemory || vm.memory % kPage != 0) {
    table.fail("memory", "must be 16M or more, in steps of 2M");
  }
  if (const auto landlock = table.choice("landlock", {"auto", "on", "off"})) {
    vm.landlock = static_cast<Wanted>(*landlock);
  }
  if (const auto grace = table.duration("power_button_grace")) {
    vm.power_button_grace = std::chrono::ceil<std::chrono::seconds>(*grace);
  }
  if (auto restart = table.table("restart")) read_restart(std::move(*restart), vm.restart);
  if (auto ready = table.table("ready")) read_ready(std::move(*ready), vm.ready);
  table.add_origins(vm.key_origins);
}

VmConfig read_vm(TomlTable& table, const VmConfig& defaults) {
  VmConfig vm = defaults;
  vm.origin = table.origin();
  const auto name = table.text("name");
  if (!name) table.fail("name", "is missing; a VM needs one");
  if (!is_name(*name)) {
    table.fail("name",
               "'" + *name + "' is no name; up to 31 letters, digits and '-', no '-' at its ends");
  }
  vm.name = *name;
  read_vm_settings(table, vm);
  read_devices(table, vm);
  set(vm.depends, table.texts("depends"));
  set(vm.user, table.text("user"));
  for (TomlTable& disk : table.tables("disk", true)) vm.disks.push_back(read_disk(disk));
  const bool has_nets = table.has("net");
  for (TomlTable& net : table.tables("net", true)) vm.nets.push_back(read_net(net));
  if (!has_nets) {
    vm.nets.emplace_back();
    vm.nets.back().origin = vm.origin;
  }
  if (auto router = table.table("router"))
    vm.router = read_router(std::move(*router), vm.key_origins);
  table.finish();
  return vm;
}

}  // namespace launcher
