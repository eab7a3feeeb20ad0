#include "net_config.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "net_words.h"
#include "process.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using nlohmann::json;

json ask_ip(const std::vector<std::string>& arguments) {
  const ToolResult result = run_tool("ip", arguments);
  const json answer = json::parse(result.output, nullptr, false);
  return result.status == 0 && answer.is_array() ? answer : json::array();
}

bool comes_by_itself(const json& address) {
  const bool ipv6 = address.value("family", "") == "inet6";
  return address.value("scope", "") == "link" || (ipv6 && address.value("dynamic", false));
}

json read_addresses(const std::string& interface) {
  json kept = json::array();
  for (const json& entry : ask_ip({"-json", "address", "show", "dev", interface})) {
    for (const json& address : entry.value("addr_info", json::array())) {
      if (!comes_by_itself(address)) kept.push_back(address);
    }
  }
  return kept;
}

bool goes_over(const json& route, const std::string& interface) {
  const json hops = route.value("nexthops", json::array());
  return std::any_of(hops.begin(), hops.end(),
                     [&](const json& hop) { return hop.value("dev", "") == interface; });
}

json read_routes(const std::string& interface) {
  json kept = json::array();
  const auto keep = [&](json route, const char* family) {
    const std::string protocol = route.value("protocol", "");
    if (protocol == "kernel" || protocol == "ra") return;
    route["family"] = family;
    kept.push_back(std::move(route));
  };
  for (const char* family : {"-4", "-6"}) {
    for (const json& route : ask_ip({family, "-json", "route", "show", "dev", interface})) {
      if (!route.contains("nexthops")) keep(route, family);
    }
    // Of an interface, `ip` shows none of several hops.
    for (const json& route : ask_ip({family, "-json", "route", "show"})) {
      if (goes_over(route, interface)) keep(route, family);
    }
  }
  // Gateways are reached over the routes without one.
  std::stable_partition(kept.begin(), kept.end(), [](const json& route) {
    return !route.contains("gateway") && !route.contains("via") && !route.contains("nexthops");
  });
  return kept;
}

std::vector<std::string> interfaces_of(const Paths& paths, const std::string& address) {
  std::vector<std::string> names;
  for (const NetInterface& interface : read_host_use(paths).interfaces) {
    if (interface.owner == address) names.push_back(interface.name);
  }
  return names;
}

// Until as many interfaces are there as were before.
void wait_for_interfaces(const Paths& paths, const SavedDevice& device,
                         std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (interfaces_of(paths, device.address).size() < device.interfaces.size() &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (std::filesystem::exists(paths.udev_control())) {
    run_tool("udevadm", {"settle", "--timeout=10"});
  }
}

// A NIC has one interface nearly always; several are matched by their order.
void restore_names(const Paths& paths, const SavedDevice& device) {
  std::vector<std::string> now = interfaces_of(paths, device.address);
  std::vector<std::string> missing;
  for (const SavedInterface& saved : device.interfaces) {
    if (std::erase(now, saved.name) == 0) missing.push_back(saved.name);
  }
  for (std::size_t i = 0; i < std::min(now.size(), missing.size()); ++i) {
    if (std::filesystem::exists(paths.net(missing[i]))) continue;  // another NIC has it now
    run_tool("ip", {"link", "set", "dev", now[i], "down"});
    run_tool("ip", {"link", "set", "dev", now[i], "name", missing[i]});
  }
}

// Sets what was saved, one interface after the other; what fails becomes a warning.
class Configurer {
 public:
  Configurer(const Paths& paths, std::vector<std::string>& warnings)
      : paths_(paths), warnings_(warnings), boot_id_(current_boot_id(paths)) {}

  // What is of an earlier boot may be wrong, or another machine's, by now.
  void bring_back(const SavedInterface& saved) {
    const bool same_boot = saved.boot_id == boot_id_;
    if (same_boot) set_link(saved);
    if (saved.up) try_ip(saved, {"link", "set", "dev", saved.name, "up"});
    if (!same_boot) return;
    const std::int64_t age = boottime_seconds() - saved.saved_at;
    for (const json& address : saved.addresses) {
      if (!has_expired(address, age)) try_ip(saved, address_words(address, saved.name, age));
    }
    for (const SavedInterface& vlan : saved.vlans) {
      if (!exists(vlan)) try_ip(vlan, vlan_words(vlan, saved.name));
      if (exists(vlan)) bring_back(vlan);
    }
    for (const json& route : saved.routes) add_route(saved, route);
  }

  bool exists(const SavedInterface& saved) const { return exists(saved.name); }

 private:
  bool exists(const std::string& interface) const {
    return std::filesystem::exists(paths_.net(interface));
  }

  // One over several hops is known to each of its interfaces, and whole with the last of them.
  void add_route(const SavedInterface& saved, const json& route) {
    const Words words =
        route.contains("nexthops")
            ? multipath_words(route, [this](const std::string& name) { return exists(name); })
            : route_words(route, saved.name);
    if (!words.empty()) try_ip(saved, words);
  }

  void set_link(const SavedInterface& saved) {
    const std::vector<std::string> set{"link", "set", "dev", saved.name};
    const auto with = [&](const std::vector<std::string>& words) {
      std::vector<std::string> all = set;
      all.insert(all.end(), words.begin(), words.end());
      try_ip(saved, all);
    };
    if (saved.mtu > 0) with({"mtu", std::to_string(saved.mtu)});
    if (!saved.mac.empty()) with({"address", saved.mac});
    if (saved.master.empty()) return;
    if (link_name(paths_.net(saved.name) / "master") != saved.master) {
      if (saved.master_kind == "bond") with({"down"});  // else it takes no port
      with({"master", saved.master});
    }
    const Words options = port_words(saved);
    if (!options.empty()) try_ip(saved, options);
  }

  void try_ip(const SavedInterface& saved, const std::vector<std::string>& words) {
    const ToolResult result = run_tool("ip", words);
    if (result.status != 0) warnings_.push_back(saved.name + ": " + result.error);
  }

  const Paths& paths_;
  std::vector<std::string>& warnings_;
  std::string boot_id_;
};

bool has_flag(const json& link, const std::string& flag) {
  const json flags = link.value("flags", json::array());
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

json ask_link(const std::string& interface) {
  const json links = ask_ip({"-json", "-details", "link", "show", "dev", interface});
  return links.empty() ? json::object() : links.front();
}

void save_link(const json& link, SavedInterface& saved) {
  const json kinds = link.value("linkinfo", json::object());
  saved.mtu = link.value("mtu", 0);
  saved.master = link.value("master", "");
  saved.master_kind = kinds.value("info_slave_kind", "");
  if (saved.master_kind == "bridge") saved.port = kinds.value("info_slave_data", json::object());
  saved.vlan = kinds.value("info_data", json::object());
  // A bond gives its ports the address.
  if (saved.master_kind != "bond" && link.contains("permaddr")) {
    saved.mac = link.value("address", "");
  }
}

SavedInterface save_named(const Paths& paths, const std::string& name, bool up, const json& link,
                          const std::vector<UpperInterface>& uppers) {
  SavedInterface saved;
  saved.name = name;
  saved.up = up;
  saved.boot_id = current_boot_id(paths);
  saved.saved_at = boottime_seconds();
  save_link(link, saved);
  for (const UpperInterface& upper : uppers) {
    if (upper.kind != "vlan") continue;
    const json vlan = ask_link(upper.name);
    saved.vlans.push_back(save_named(paths, upper.name, has_flag(vlan, "UP"), vlan, upper.uppers));
    const std::string mac = vlan.value("address", "");
    if (mac != link.value("address", "")) saved.vlans.back().mac = mac;
  }
  if (!up) return saved;
  saved.addresses = read_addresses(name);
  saved.routes = read_routes(name);
  return saved;
}

}  // namespace

SavedInterface save_interface(const Paths& paths, const NetInterface& interface) {
  return save_named(paths, interface.name, interface.up, ask_link(interface.name),
                    interface.uppers);
}

std::string permanent_mac(const std::string& interface) {
  const json link = ask_link(interface);
  return link.value("permaddr", link.value("address", ""));
}

void take_down(const SavedInterface& interface) {
  require_tool("ip", {"link", "set", "dev", interface.name, "down"});
}

std::vector<std::string> bring_back(const Paths& paths, const SavedDevice& device,
                                    std::chrono::milliseconds patience) {
  if (device.interfaces.empty()) return {};
  wait_for_interfaces(paths, device, patience);
  restore_names(paths, device);
  std::vector<std::string> warnings;
  Configurer configurer(paths, warnings);
  for (const SavedInterface& saved : device.interfaces) {
    if (configurer.exists(saved)) {
      configurer.bring_back(saved);
    } else {
      warnings.push_back(device.address + ": driver " + device.driver + " is back, its interface " +
                         saved.name + " is not");
    }
  }
  return warnings;
}

}  // namespace vfio_setup
