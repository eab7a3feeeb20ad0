#include "net_words.h"

#include <algorithm>
#include <map>

namespace vfio_setup {
namespace {

using nlohmann::json;

constexpr std::uint64_t kForever = 0xffffffff;  // lifetime of an address that does not expire

// What `ip` prints of a bridge's port and can set again, by the name it prints; all else there is
// a state. A kernel or an `ip` without one prints none. A cost that the kernel chose by the speed
// of the link is kept like one that was set: nothing tells them apart.
const std::map<std::string, std::string> kPortOptions{
    {"priority", "priority"},
    {"cost", "cost"},
    {"hairpin", "hairpin"},
    {"guard", "guard"},
    {"root_block", "root_block"},
    {"fastleave", "fastleave"},
    {"learning", "learning"},
    {"flood", "flood"},
    {"proxy_arp", "proxy_arp"},
    {"proxy_arp_wifi", "proxy_arp_wifi"},
    {"multicast_router", "mcast_router"},
    {"mcast_flood", "mcast_flood"},
    {"bcast_flood", "bcast_flood"},
    {"mcast_to_unicast", "mcast_to_unicast"},
    {"neigh_suppress", "neigh_suppress"},
    {"group_fwd_mask", "group_fwd_mask"},
    {"vlan_tunnel", "vlan_tunnel"},
    {"isolated", "isolated"},
    {"locked", "locked"},
    {"mab", "mab"},
    {"backup_port", "backup_port"},
};

std::string value_of_port(const json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void add(const json& from, const char* key, const char* option, Words& words) {
  if (from.contains(key)) words.insert(words.end(), {option, from.value(key, "")});
}

Words begin_route(const json& route) {
  return {route.value("family", "-4"), "route", "replace", route.value("dst", "default")};
}

// A route's way out, or one of several.
void add_hop(const json& hop, const std::string& interface, Words& words) {
  add(hop, "gateway", "via", words);
  if (hop.contains("via")) {  // a gateway of the other family (RFC 8950)
    const json& via = hop["via"];
    words.insert(words.end(), {"via", via.value("family", ""), via.value("host", "")});
  }
  words.insert(words.end(), {"dev", interface});
  // The gateway is reached though no address of ours is in one network with it.
  const json flags = hop.value("flags", json::array());
  if (std::find(flags.begin(), flags.end(), "onlink") != flags.end()) words.emplace_back("onlink");
}

void add_rest(const json& route, Words& words) {
  add(route, "protocol", "proto", words);
  add(route, "scope", "scope", words);
  add(route, "prefsrc", "src", words);
  if (route.contains("metric")) {
    words.insert(words.end(), {"metric", std::to_string(route.value("metric", 0U))});
  }
}

}  // namespace

Words address_words(const json& address, const std::string& interface, std::int64_t age) {
  const std::string local = address.value("local", "");
  const std::string prefix = "/" + std::to_string(address.value("prefixlen", 0));
  Words words{"address", "replace"};
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

Words route_words(const json& route, const std::string& interface) {
  Words words = begin_route(route);
  add_hop(route, interface, words);
  add_rest(route, words);
  return words;
}

Words multipath_words(const json& route,
                      const std::function<bool(const std::string& interface)>& is_there) {
  Words words = begin_route(route);
  add_rest(route, words);
  const std::size_t without_hops = words.size();
  for (const json& hop : route.value("nexthops", json::array())) {
    const std::string interface = hop.value("dev", "");
    if (!is_there(interface)) continue;
    words.emplace_back("nexthop");
    add_hop(hop, interface, words);
    words.insert(words.end(), {"weight", std::to_string(hop.value("weight", 1))});
  }
  return words.size() == without_hops ? Words() : words;
}

Words port_words(const SavedInterface& port) {
  Words options;
  for (const auto& [key, value] : port.port.items()) {
    const auto option = kPortOptions.find(key);
    if (option == kPortOptions.end()) continue;
    options.insert(options.end(), {option->second, value_of_port(value)});
  }
  if (options.empty()) return {};
  Words words{"link", "set", "dev", port.name, "type", "bridge_slave"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

Words vlan_words(const SavedInterface& vlan, const std::string& below) {
  Words words{"link", "add", "link", below, "name", vlan.name, "type", "vlan"};
  words.insert(words.end(), {"protocol", vlan.vlan.value("protocol", "802.1Q"), "id",
                             std::to_string(vlan.vlan.value("id", 0))});
  const json flags = vlan.vlan.value("flags", json::array());
  for (const auto& [flag, option] :
       {std::pair{"REORDER_HDR", "reorder_hdr"}, std::pair{"GVRP", "gvrp"},
        std::pair{"MVRP", "mvrp"}, std::pair{"LOOSE_BINDING", "loose_binding"}}) {
    const bool is_on = std::find(flags.begin(), flags.end(), flag) != flags.end();
    words.insert(words.end(), {option, is_on ? "on" : "off"});
  }
  for (const auto& [key, option] :
       {std::pair{"ingress_qos", "ingress-qos-map"}, std::pair{"egress_qos", "egress-qos-map"}}) {
    const json map = vlan.vlan.value(key, json::array());
    if (!map.empty()) words.emplace_back(option);
    for (const json& entry : map) {
      words.push_back(std::to_string(entry.value("from", 0U)) + ":" +
                      std::to_string(entry.value("to", 0U)));
    }
  }
  return words;
}

}  // namespace vfio_setup
