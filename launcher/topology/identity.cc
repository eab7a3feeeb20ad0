#include "topology/identity.h"

#include <algorithm>
#include <map>
#include <set>

#include "topology/address.h"
#include "topology/error.h"

namespace launcher {
namespace {

constexpr uint32_t kHostMask = 0xffff;

// Names are letters that file systems and people sort alike: "a" before "b".
std::vector<VmConfig*> by_name(Topology& topology) {
  std::vector<VmConfig*> vms;
  for (VmConfig& vm : topology.vms) vms.push_back(&vm);
  std::sort(vms.begin(), vms.end(), [](auto* a, auto* b) { return a->name < b->name; });
  return vms;
}

class Assignment {
 public:
  explicit Assignment(Topology& topology) : topology_(topology) {
    constexpr uint32_t kLocal = 0x020000;
    oui_ = (*parse_oui(topology.oui) | kLocal);
    for (const SwitchConfig& one : topology.switches) {
      networks_[one.segment] = *parse_ipv4(one.network);
    }
    for (const VmConfig& vm : topology.vms) {
      for (const NetConfig& net : vm.nets) {
        if (vm.router) routed_.insert(net.segment);
      }
    }
  }

  void run() {
    for (VmConfig* vm : by_name(topology_)) {
      for (NetConfig& net : vm->nets) keep_given(*vm, net);
    }
    for (VmConfig* vm : by_name(topology_)) {
      for (size_t index = 0; index < vm->nets.size(); ++index) make(*vm, vm->nets[index], index);
    }
  }

 private:
  uint32_t network(const NetConfig& net) const { return networks_.at(net.segment); }

  void take_mac(const NetConfig& net, uint64_t mac) {
    const auto [other, is_new] = macs_.try_emplace({net.segment, mac}, net.origin);
    if (is_new) return;
    throw TopologyError(net.origin, "MAC " + mac_text(mac) + " is there already on segment '" +
                                        net.segment + "' (" + other->second +
                                        "); give each interface its own");
  }

  void take_address(const NetConfig& net, uint32_t address) {
    const auto [other, is_new] = addresses_.try_emplace(address, net.origin);
    if (is_new) return;
    throw TopologyError(net.origin, "address " + ipv4_text(address) + " is there already (" +
                                        other->second + "); choose another 'mac' or 'address'");
  }

  // It has one address for each network, and its DHCP server answers on each interface.
  void take_segment(const VmConfig& router, const NetConfig& net) {
    if (served_.emplace(router.name, net.segment).second) return;
    throw TopologyError(net.origin, "router '" + router.name + "' has an interface on segment '" +
                                        net.segment + "' already, and serves a segment by one");
  }

  // Where a router serves, its image takes the first address of a network for itself, and keeps
  // those between that and the last one for clients.
  void check_given(const VmConfig& vm, const NetConfig& net) const {
    if (net.address.empty() || !routed_.contains(net.segment)) return;
    const uint32_t host = *parse_ipv4(net.address) - network(net);
    const bool fits = vm.router ? host == kRouterHost : usable(host);
    if (fits) return;
    const std::string range = ipv4_text(network(net) + kRouterHost + 1) + " to " +
                              ipv4_text(network(net) + kHostMask - 1);
    throw TopologyError(net.origin + ": key 'address'",
                        net.address + " cannot be had; " +
                            (vm.router ? "a router has " + ipv4_text(network(net) + kRouterHost)
                                       : "clients of segment '" + net.segment + "' have " + range));
  }

  void keep_given(const VmConfig& vm, NetConfig& net) {
    if (vm.router) take_segment(vm, net);
    check_given(vm, net);
    // Nothing passes from client to client but what the router's file allows.
    if (!net.isolated) net.isolated = !vm.router && routed_.contains(net.segment);
    if (!net.mac.empty()) take_mac(net, *parse_mac(net.mac));
    if (vm.router && net.address.empty()) net.address = ipv4_text(network(net) + kRouterHost);
    if (net.address.empty() && !net.mac.empty()) {
      const auto host = static_cast<uint32_t>(*parse_mac(net.mac)) & kHostMask;
      if (!usable(host)) {
        throw TopologyError(net.origin, "MAC " + net.mac +
                                            " stands for an address that no client can have; "
                                            "choose another, or give an 'address'");
      }
      net.address = ipv4_text(network(net) + host);
    }
    if (!net.address.empty()) take_address(net, *parse_ipv4(net.address));
  }

  static bool usable(uint32_t host) { return host > kRouterHost && host < kHostMask; }

  void make(const VmConfig& vm, NetConfig& net, size_t index) {
    for (unsigned attempt = 0; net.mac.empty(); ++attempt) {
      const uint64_t hash =
          stable_hash(vm.name + "/" + std::to_string(index) + "/" + std::to_string(attempt));
      const uint64_t mac = uint64_t{oui_} << 24 | (hash & 0xffffff);
      const uint32_t host = static_cast<uint32_t>(mac) & kHostMask;
      const uint32_t address = network(net) + host;
      const bool needs_address = net.address.empty();
      if (needs_address && !usable(host)) continue;
      if (macs_.contains({net.segment, mac}) || (needs_address && addresses_.contains(address))) {
        net.displaced = true;
        continue;
      }
      net.mac = mac_text(mac);
      take_mac(net, mac);
      if (!needs_address) continue;
      net.address = ipv4_text(address);
      take_address(net, address);
    }
  }

  Topology& topology_;
  uint32_t oui_ = 0;
  std::map<std::string, uint32_t> networks_;
  std::map<std::pair<std::string, uint64_t>, std::string> macs_;
  std::map<uint32_t, std::string> addresses_;
  std::set<std::string> routed_;                          // segments that a router serves
  std::set<std::pair<std::string, std::string>> served_;  // router and segment
};

}  // namespace

// FNV-1a and the finalizer of splitmix64.
uint64_t stable_hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
  return hash ^ (hash >> 31);
}

void assign_networks(Topology& topology) {
  std::set<uint32_t> taken;
  for (const SwitchConfig& one : topology.switches) {
    if (!one.network.empty()) taken.insert(*parse_ipv4(one.network));
  }
  uint32_t next = *parse_ipv4("10.64.0.0");
  for (SwitchConfig& one : topology.switches) {
    if (!one.network.empty()) continue;
    while (taken.contains(next)) next += kHostMask + 1;
    one.network = ipv4_text(next);
    taken.insert(next);
  }
}

void assign_identities(Topology& topology) {
  Assignment(topology).run();
}

}  // namespace launcher
