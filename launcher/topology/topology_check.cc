#include "topology/topology_check.h"

#include <map>
#include <regex>
#include <set>

#include "topology/dependencies.h"
#include "topology/error.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;

void check_switches(const Topology& topology) {
  std::map<std::string, std::string> seen;
  for (const SwitchConfig& one : topology.switches) {
    const auto [other, is_new] = seen.try_emplace(one.segment, one.origin);
    if (is_new) continue;
    throw TopologyError(one.origin + ": key 'segment'", "a switch of segment '" + one.segment +
                                                            "' is there already (" + other->second +
                                                            "); one segment is one switch");
  }
}

void check_segments(const Topology& topology, const VmConfig& vm) {
  for (const NetConfig& net : vm.nets) {
    std::string names;
    bool found = false;
    for (const SwitchConfig& one : topology.switches) {
      found = found || one.segment == net.segment;
      names += (names.empty() ? "" : ", ") + one.segment;
    }
    if (found) continue;
    throw TopologyError(net.origin + ": key 'segment'", "there is no [[switch]] with segment '" +
                                                            net.segment + "'; there is " + names);
  }
}

void check_names(const Topology& topology) {
  std::map<std::string, std::string> seen;
  for (const VmConfig& vm : topology.vms) {
    const auto [other, is_new] = seen.try_emplace(vm.name, vm.origin);
    if (is_new) continue;
    throw TopologyError(vm.origin + ": key 'name'", "a VM '" + vm.name + "' is there already (" +
                                                        other->second + "); give each its own");
  }
}

// A device or a disk that is written belongs to one VM.
void check_owners(const Topology& topology) {
  std::map<std::string, std::string> owners;
  for (const VmConfig& vm : topology.vms) {
    std::vector<std::pair<std::string, std::string>> things;
    for (const std::string& device : vm.devices) things.emplace_back("devices", device);
    for (const DiskConfig& disk : vm.disks) {
      if (!disk.readonly) things.emplace_back("disk", disk.path.string());
    }
    for (const auto& [key, thing] : things) {
      const auto [other, is_new] = owners.try_emplace(thing, vm.name);
      if (is_new) continue;
      throw TopologyError(vm.origin + ": key '" + key + "'",
                          "'" + thing + "' is given to VM '" + other->second + "' already");
    }
  }
}

void check_users(const Topology& topology) {
  std::map<std::string, std::string> users;
  for (const VmConfig& vm : topology.vms) {
    if (vm.user.empty()) continue;
    const std::string origin = vm.origin + ": key 'user'";
    if (vm.user == "root" || vm.user == "0") {
      throw TopologyError(origin, "no VMM runs as root; leave it out for a user of its own");
    }
    const auto [other, is_new] = users.try_emplace(vm.user, vm.name);
    if (is_new) continue;
    throw TopologyError(origin, "is that of VM '" + other->second +
                                    "' already; two VMs of one user "
                                    "could read each other");
  }
}

void check_vm_exists(const Topology& topology, const std::string& name, const std::string& origin) {
  if (topology.find(name) == nullptr) throw TopologyError(origin, "there is no VM '" + name + "'");
}

void check_router(const Topology& topology, const VmConfig& vm) {
  if (!vm.router) return;
  if (vm.initramfs.empty()) {
    throw TopologyError(vm.origin + ": key 'router'",
                        "what the router is told travels in its initramfs; it needs one");
  }
  std::set<std::pair<std::string, unsigned>> ports;
  for (const std::string& text : vm.router->forward) {
    const std::string origin = vm.origin + ": key 'forward'";
    const Forward forward = parse_forward(text, origin);
    check_vm_exists(topology, forward.vm, origin);
    if (!ports.emplace(forward.protocol, forward.port).second) {
      throw TopologyError(origin, "'" + text + "': that port is forwarded already");
    }
  }
  for (const std::string& text : vm.router->allow_between) {
    const std::string origin = vm.origin + ": key 'allow_between'";
    const Between between = parse_between(text, origin);
    check_vm_exists(topology, between.from, origin);
    check_vm_exists(topology, between.to, origin);
  }
}

void check_file(const fs::path& path, const std::string& origin, const std::string& noun) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw TopologyError(origin, "there is no " + noun + " " + path.string());
  }
  if (fs::is_directory(path, error)) {
    throw TopologyError(origin, path.string() + " is a directory, not a " + noun);
  }
}

unsigned parse_port(const std::string& text, const std::string& origin) {
  constexpr unsigned kMostPort = 65'535;
  const unsigned long port = std::stoul(text);
  if (port == 0 || port > kMostPort) throw TopologyError(origin, "there is no port " + text);
  return static_cast<unsigned>(port);
}

}  // namespace

Forward parse_forward(const std::string& text, const std::string& origin) {
  static const std::regex kForm(
      "(tcp|udp)/([0-9]{1,5}) *-> *([A-Za-z0-9][A-Za-z0-9-]*):([0-9]{1,5})");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm)) {
    throw TopologyError(origin, "'" + text + "' cannot be read; write \"tcp/8022 -> app:22\"");
  }
  return {parts[1], parse_port(parts[2], origin), parts[3], parse_port(parts[4], origin)};
}

Between parse_between(const std::string& text, const std::string& origin) {
  static const std::regex kForm("([A-Za-z0-9][A-Za-z0-9-]*) *-> *([A-Za-z0-9][A-Za-z0-9-]*)");
  std::smatch parts;
  if (!std::regex_match(text, parts, kForm)) {
    throw TopologyError(origin, "'" + text + "' cannot be read; write \"app -> db\"");
  }
  return {parts[1], parts[2]};
}

void check_topology(const Topology& topology) {
  if (topology.vms.empty()) throw TopologyError(topology.file.string(), "there is no [[vm]] in it");
  check_switches(topology);
  check_names(topology);
  for (const VmConfig& vm : topology.vms) {
    if (vm.kernel.empty()) {
      throw TopologyError(vm.origin + ": key 'kernel'",
                          "is missing; VM '" + vm.name + "' needs one (or [defaults] has it)");
    }
    check_segments(topology, vm);
    check_router(topology, vm);
  }
  check_owners(topology);
  check_users(topology);
  start_order(topology, {});
}

void check_files(const Topology& topology) {
  for (const VmConfig& vm : topology.vms) {
    check_file(vm.kernel, vm.origin + ": key 'kernel'", "kernel");
    if (!vm.initramfs.empty()) {
      check_file(vm.initramfs, vm.origin + ": key 'initramfs'", "initramfs");
    }
    for (const DiskConfig& disk : vm.disks) {
      check_file(disk.path, vm.origin + ": key 'disk'", "disk");
    }
    if (vm.router && !vm.router->wireless_networks.empty()) {
      check_file(vm.router->wireless_networks, vm.origin + ": key 'wireless_networks'", "file");
    }
  }
  for (const SwitchConfig& one : topology.switches) {
    if (!one.config.empty()) check_file(one.config, one.origin + ": key 'config'", "file");
  }
}

}  // namespace launcher
