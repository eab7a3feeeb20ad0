#include "net_config.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "process.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using nlohmann::json;

constexpr std::uint64_t kForever = 0xffffffff;  // lifetime of an address that does not expire

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

json read_routes(const std::string& interface) {
  json kept = json::array();
  for (const char* family : {"-4", "-6"}) {
    for (json& route : ask_ip({family, "-json", "route", "show", "dev", interface})) {
      const std::string protocol = route.value("protocol", "");
      if (protocol == "kernel" || protocol == "ra") continue;
      route["family"] = family;
      kept.push_back(route);
    }
  }
  // Gateways are reached over the routes without one.
  std::stable_partition(kept.begin(), kept.end(), [](const json& route) {
    return !route.contains("gateway") && !route.contains("via");
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

std::vector<std::string> address_words(const json& address, const std::string& interface,
                                       std::int64_t age) {
  const std::string local = address.value("local", "");
  const std::string prefix = "/" + std::to_string(address.value("prefixlen", 0));
  std::vector<std::string> words{"address", "replace"};
  // Of a point-to-point link, the prefix belongs to the other end.
  if (address.contains("address")) {
    words.insert(words.end(), {local, "peer", address.value("address", "") + prefix});
  } else {
    words.push_back(local + prefix);
  }
  words.insert(words.end(), {"dev", interface});
  if (address.contains("broadcast")) {
    words.insert(words.end(), {"broadcast", address.value("broadcast", "")});
  }
  for (const auto& [key, option] : {std::pair{"valid_life_time", "valid_lft"},
                                    std::pair{"preferred_life_time", "preferred_lft"}}) {
    const std::uint64_t lifetime = address.value(key, kForever);
    if (lifetime == kForever) continue;
    const auto left = static_cast<std::int64_t>(lifetime) - age;
    words.insert(words.end(), {option, std::to_string(std::max<std::int64_t>(left, 0))});
  }
  return words;
}

bool has_expired(const json& address, std::int64_t age) {
  const std::uint64_t lifetime = address.value("valid_life_time", kForever);
  return lifetime != kForever && static_cast<std::int64_t>(lifetime) <= age;
}

std::vector<std::string> route_words(const json& route, const std::string& interface) {
  std::vector<std::string> words{route.value("family", "-4"), "route", "replace",
                                 route.value("dst", "default")};
  const auto add = [&](const char* key, const char* option) {
    if (route.contains(key)) words.insert(words.end(), {option, route.value(key, "")});
  };
  add("gateway", "via");
  if (route.contains("via")) {  // a gateway of the other family (RFC 8950)
    const json& via = route["via"];
    words.insert(words.end(), {"via", via.value("family", ""), via.value("host", "")});
  }
  words.insert(words.end(), {"dev", interface});
  // The gateway is reached though no address of ours is in one network with it.
  const json flags = route.value("flags", json::array());
  if (std::find(flags.begin(), flags.end(), "onlink") != flags.end()) words.push_back("onlink");
  add("protocol", "proto");
  add("scope", "scope");
  add("prefsrc", "src");
  if (route.contains("metric")) {
    words.insert(words.end(), {"metric", std::to_string(route.value("metric", 0))});
  }
  return words;
}

void configure(const SavedInterface& saved, std::vector<std::string>& warnings) {
  const std::int64_t age = boottime_seconds() - saved.saved_at;
  const auto try_ip = [&](const std::vector<std::string>& words) {
    const ToolResult result = run_tool("ip", words);
    if (result.status != 0) warnings.push_back(saved.name + ": " + result.error);
  };
  for (const json& address : saved.addresses) {
    if (!has_expired(address, age)) try_ip(address_words(address, saved.name, age));
  }
  for (const json& route : saved.routes) try_ip(route_words(route, saved.name));
}

}  // namespace

SavedInterface save_interface(const Paths& paths, const NetInterface& interface) {
  SavedInterface saved;
  saved.name = interface.name;
  saved.up = interface.up;
  saved.boot_id = current_boot_id(paths);
  saved.saved_at = boottime_seconds();
  if (!interface.up) return saved;
  saved.addresses = read_addresses(interface.name);
  saved.routes = read_routes(interface.name);
  return saved;
}

void take_down(const SavedInterface& interface) {
  require_tool("ip", {"link", "set", "dev", interface.name, "down"});
}

std::vector<std::string> bring_back(const Paths& paths, const SavedDevice& device,
                                    std::chrono::milliseconds patience) {
  if (device.interfaces.empty()) return {};
  wait_for_interfaces(paths, device, patience);
  restore_names(paths, device);
  const std::string boot_id = current_boot_id(paths);
  std::vector<std::string> warnings;
  for (const SavedInterface& saved : device.interfaces) {
    if (!std::filesystem::exists(paths.net(saved.name))) {
      warnings.push_back(device.address + ": driver " + device.driver + " is back, its interface " +
                         saved.name + " is not");
      continue;
    }
    if (!saved.up) continue;
    const ToolResult result = run_tool("ip", {"link", "set", "dev", saved.name, "up"});
    if (result.status != 0) warnings.push_back(saved.name + ": " + result.error);
    // Those of an earlier boot may be another machine's by now.
    if (saved.boot_id == boot_id) configure(saved, warnings);
  }
  return warnings;
}

}  // namespace vfio_setup
