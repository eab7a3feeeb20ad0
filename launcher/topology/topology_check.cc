#include "topology/topology_check.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>

#include "topology/account.h"
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

// Host names, which DNS compares without regard to case (RFC 4343).
void check_names(const Topology& topology) {
  std::map<std::string, std::string> seen;
  for (const VmConfig& vm : topology.vms) {
    std::string name = vm.name;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const auto [other, is_new] = seen.try_emplace(name, vm.origin);
    if (is_new) continue;
    throw TopologyError(vm.origin_of("name"), "a VM '" + vm.name + "' is there already (" +
                                                  other->second + "); give each its own");
  }
}

// A device or a disk that is written belongs to one VM.
void check_owners(const Topology& topology) {
  std::map<std::string, std::string> owners;
  for (const VmConfig& vm : topology.vms) {
    std::vector<std::pair<std::string, std::string>> things;
    for (const std::string& device : vm.devices) {
      things.emplace_back(vm.origin_of("devices"), device);
    }
    for (const DiskConfig& disk : vm.disks) {
      if (!disk.readonly) things.emplace_back(disk.origin, disk.path.string());
    }
    for (const auto& [origin, thing] : things) {
      const auto [other, is_new] = owners.try_emplace(thing, vm.name);
      if (is_new) continue;
      throw TopologyError(origin, "'" + thing + "' is given to VM '" + other->second + "' already");
    }
  }
}

void check_users(const Topology& topology) {
  std::map<std::string, std::string> users;
  for (const VmConfig& vm : topology.vms) {
    if (vm.user.empty()) continue;
    const std::string origin = vm.origin_of("user");
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

// cloud-hypervisor starts no VM with more pairs than CPUs.
void check_queues(const VmConfig& vm) {
  if (vm.vmm != VmmKind::cloud_hypervisor) return;
  for (const NetConfig& net : vm.nets) {
    if (net.queues <= vm.cpus) continue;
    throw TopologyError(net.origin + ": key 'queues'",
                        std::to_string(net.queues) + " pairs are more than the VM has CPUs (" +
                            std::to_string(vm.cpus) + "), which cloud-hypervisor refuses");
  }
}

bool are_beside(const VmConfig& router, const VmConfig& client) {
  for (const NetConfig& one : router.nets) {
    for (const NetConfig& other : client.nets) {
      if (one.segment == other.segment) return true;
    }
  }
  return false;
}

void check_client(const Topology& topology, const VmConfig& router, const std::string& name,
                  const std::string& origin) {
  const VmConfig* client = topology.find(name);
  if (client == nullptr) throw TopologyError(origin, "there is no VM '" + name + "'");
  if (client == &router || !are_beside(router, *client)) {
    throw TopologyError(origin, "VM '" + name + "' is no client of router '" + router.name +
                                    "'; it needs an interface on a segment of the router's");
  }
}

void check_router(const Topology& topology, const VmConfig& vm) {
  constexpr size_t kMostSegments = 4;  // that the router image serves
  if (!vm.router) return;
  if (vm.nets.size() > kMostSegments) {
    throw TopologyError(vm.nets[kMostSegments].origin, "a router serves up to 4 segments");
  }
  if (vm.initramfs.empty()) {
    throw TopologyError(vm.origin_of("router"),
                        "what the router is told travels in its initramfs; it needs one");
  }
  std::set<std::pair<std::string, unsigned>> ports;
  for (const std::string& text : vm.router->forward) {
    const std::string origin = vm.origin_of("forward");
    const Forward forward = parse_forward(text, origin);
    check_client(topology, vm, forward.vm, origin);
    if (!ports.emplace(forward.protocol, forward.port).second) {
      throw TopologyError(origin, "'" + text + "': that port is forwarded already");
    }
  }
  for (const std::string& text : vm.router->allow_between) {
    const std::string origin = vm.origin_of("allow_between");
    const Between between = parse_between(text, origin);
    check_client(topology, vm, between.from, origin);
    check_client(topology, vm, between.to, origin);
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

void check_accounts(const Topology& topology) {
  std::map<uid_t, std::string> owners;
  for (const VmConfig& vm : topology.vms) {
    if (vm.user.empty()) continue;
    const std::string origin = vm.origin_of("user");
    const passwd* account = find_account(vm.user);
    if (account == nullptr) {
      throw TopologyError(origin, "there is no user '" + vm.user + "' on this host");
    }
    const uid_t id = account->pw_uid;
    if (id == 0) throw TopologyError(origin, "'" + vm.user + "' is root, which no VMM runs as");
    const auto [other, is_new] = owners.try_emplace(id, vm.name);
    if (is_new) continue;
    throw TopologyError(origin, "'" + vm.user + "' is the account of VM '" + other->second +
                                    "' already; two VMs of one user could read each other");
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
      throw TopologyError(vm.origin_of("kernel"),
                          "is missing; VM '" + vm.name + "' needs one (or [defaults] has it)");
    }
    check_segments(topology, vm);
    check_queues(vm);
    check_router(topology, vm);
  }
  check_owners(topology);
  check_users(topology);
  start_order(topology, {});
}

void check_files(const Topology& topology) {
  check_accounts(topology);
  for (const VmConfig& vm : topology.vms) {
    check_file(vm.kernel, vm.origin_of("kernel"), "kernel");
    if (!vm.initramfs.empty()) {
      check_file(vm.initramfs, vm.origin_of("initramfs"), "initramfs");
    }
    for (const DiskConfig& disk : vm.disks) {
      check_file(disk.path, disk.origin, "disk");
    }
    if (vm.router && !vm.router->wireless_networks.empty()) {
      check_file(vm.router->wireless_networks, vm.origin_of("wireless_networks"), "file");
    }
  }
  for (const SwitchConfig& one : topology.switches) {
    if (!one.config.empty()) check_file(one.config, one.origin + ": key 'config'", "file");
  }
}

}  // namespace launcher
