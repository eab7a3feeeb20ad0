#include "control/port_settings_table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace control {
namespace {

using nlohmann::json;

constexpr int64_t kLargestMacLimit = 1 << 20;
constexpr int64_t kSmallestMtu = 1280;  // of a link that carries IPv6 (RFC 8200, 5)
constexpr int64_t kLargestMtu = 9216;

void set_name(PortConfig& port, const Value& value) {
  if (!is_port_name(value.text())) {
    value.fail("'" + value.text() +
               "' is no port name; use up to 63 letters, digits, '.', '_' and '-', a letter or "
               "digit first");
  }
  port.settings.name = value.text();
}

void set_socket(PortConfig& port, const Value& value) {
  const std::filesystem::path path = absolute_path(value);
  if (!path.has_filename()) value.fail("'" + path.string() + "' names a directory");
  port.settings.socket = path;
}

void set_isolated(PortConfig& port, const Value& value) {
  port.settings.rules.isolated = value.boolean();
}

void set_mac_limit(PortConfig& port, const Value& value) {
  port.settings.rules.mac_limit = static_cast<uint32_t>(value.integer(0, kLargestMacLimit));
}

void set_mtu(PortConfig& port, const Value& value) {
  port.settings.mtu = static_cast<uint16_t>(value.integer(kSmallestMtu, kLargestMtu));
}

void set_queues(PortConfig& port, const Value& value) {
  port.settings.queues = static_cast<uint16_t>(value.integer(1, vhost::kMaxQueuePairs));
}

void set_packed(PortConfig& port, const Value& value) {
  port.settings.packed = value.boolean();
}

void set_connection(PortConfig& port, const Value& value) {
  const std::string& mode = value.text();
  if (mode != "server" && mode != "client") {
    value.fail("'" + mode + "' is no mode; write \"server\" or \"client\"");
  }
  port.settings.access.connection =
      mode == "client" ? vhost::ConnectionMode::client : vhost::ConnectionMode::server;
}

const char* connection_name(vhost::ConnectionMode mode) {
  return mode == vhost::ConnectionMode::client ? "client" : "server";
}

void set_mode(PortConfig& port, const Value& value) {
  port.settings.access.mode = value.mode();
}

const NameOrNumber single_account(const Value& value) {
  const Value::List list = value.name_list();
  if (list.size() != 1) value.fail("expected one name or number");
  return list.front();
}

void set_owner(PortConfig& port, const Value& value) {
  port.settings.access.owner = resolve_user(single_account(value), value);
}

void set_group(PortConfig& port, const Value& value) {
  port.settings.access.group = resolve_group(single_account(value), value);
}

void set_allow_uid(PortConfig& port, const Value& value) {
  std::vector<uid_t>& allowed = port.settings.access.allow_uid;
  allowed.clear();
  for (const NameOrNumber& user : value.name_list()) allowed.push_back(resolve_user(user, value));
}

void set_allow_gid(PortConfig& port, const Value& value) {
  std::vector<gid_t>& allowed = port.settings.access.allow_gid;
  allowed.clear();
  for (const NameOrNumber& group : value.name_list()) {
    allowed.push_back(resolve_group(group, value));
  }
}

void set_static_macs(PortConfig& port, const Value& value) {
  port.static_macs.clear();
  for (const std::string& text : value.text_list()) {
    const auto mac = bridge::MacAddress::parse(text);
    if (!mac || mac->is_group() || mac->is_zero()) {
      value.fail("'" + text + "' is not the MAC address of a station; write 52:54:00:12:34:56");
    }
    if (std::find(port.static_macs.begin(), port.static_macs.end(), *mac) !=
        port.static_macs.end()) {
      value.fail(text + " stands there twice");
    }
    port.static_macs.push_back(*mac);
  }
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode));
  return text.data();
}

json static_macs_json(const PortConfig& port) {
  json macs = json::array();
  for (const bridge::MacAddress& mac : port.static_macs) macs.push_back(mac.to_string());
  return macs;
}

constexpr std::array<PortSettingRow, 14> kRows = {{
    {"name", ValueKind::text, "NAME", "unique on this switch", set_name,
     [](const PortConfig& port) { return json(port.settings.name); }},
    {"socket", ValueKind::text, "PATH",
     "where the VMM connects, or listens; socket_dir/NAME.sock when not given", set_socket,
     [](const PortConfig& port) { return json(port.settings.socket.string()); }},
    {"mode", ValueKind::text, "server|client",
     "server (the default): the VMM connects to the socket; client: the VMM listens on it and the "
     "switch connects, again and again",
     set_connection,
     [](const PortConfig& port) { return json(connection_name(port.settings.access.connection)); }},
    {"isolated", ValueKind::boolean, "true|false", "reaches only ports that are not isolated",
     set_isolated, [](const PortConfig& port) { return json(port.settings.rules.isolated); }},
    {"mac_limit", ValueKind::integer, "N",
     "addresses learned on the port at the most (1024); 0: none", set_mac_limit,
     [](const PortConfig& port) { return json(port.settings.rules.mac_limit); }},
    {"mtu", ValueKind::integer, "N",
     "longest payload of a frame, 1280 to 9216, offered to the guest; not given: any up to 9216",
     set_mtu, [](const PortConfig& port) { return or_null(port.settings.mtu); }},
    {"queues", ValueKind::integer, "N",
     "pairs of queues that the guest may have, 1 to 16 (16); it uses as many as it likes",
     set_queues, [](const PortConfig& port) { return json(port.settings.queues); }},
    {"packed", ValueKind::boolean, "true|false",
     "packed rings are offered; a guest that uses them stands still when the switch is killed",
     set_packed, [](const PortConfig& port) { return json(port.settings.packed); }},
    {"socket_mode", ValueKind::mode, "MODE", "permission bits of the socket (0660)", set_mode,
     [](const PortConfig& port) { return json(octal(port.settings.access.mode)); }},
    {"socket_owner", ValueKind::name_list, "USER", "owner of the socket, name or number", set_owner,
     [](const PortConfig& port) { return or_null(port.settings.access.owner); }},
    {"socket_group", ValueKind::name_list, "GROUP", "group of the socket, name or number",
     set_group, [](const PortConfig& port) { return or_null(port.settings.access.group); }},
    {"allow_uid", ValueKind::name_list, "USER,...",
     "users whose VMM is let in; with no allow list, all whom the mode lets in", set_allow_uid,
     [](const PortConfig& port) { return json(port.settings.access.allow_uid); }},
    {"allow_gid", ValueKind::name_list, "GROUP,...", "groups whose VMM is let in", set_allow_gid,
     [](const PortConfig& port) { return json(port.settings.access.allow_gid); }},
    {"static_macs", ValueKind::text_list, "MAC,...",
     "addresses that live on this port and nowhere else", set_static_macs, static_macs_json},
}};

}  // namespace

std::span<const PortSettingRow> port_settings_table() {
  return kRows;
}

const PortSettingRow* find_port_setting(std::string_view key) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const PortSettingRow& each) { return each.key == key; });
  return row != kRows.end() ? &*row : nullptr;
}

void apply_port_setting(const PortSettingRow& row, PortConfig& port, const Value& value) {
  row.apply(port, value);
  port.origins.insert_or_assign(std::string(row.key), value.origin);
}

json port_settings_json(const PortConfig& port) {
  json object;
  for (const PortSettingRow& row : kRows) object[std::string(row.key)] = row.get(port);
  return object;
}

PortConfig port_from_json(const json& object, const std::string& where) {
  const std::string prefix = where.empty() ? "" : where + ": ";
  if (!object.is_object()) throw ConfigError(prefix + "a port is an object");
  PortConfig port;
  port.origin = where;
  for (const auto& [key, member] : object.items()) {
    const std::string origin = prefix + "member '" + key + "'";
    const PortSettingRow* row = find_port_setting(key);
    if (row == nullptr) throw ConfigError(origin, "unknown; a port has no such setting");
    if (member.is_null()) continue;  // as not given
    apply_port_setting(*row, port, value_from_json(member, origin));
  }
  if (port.settings.name.empty()) throw ConfigError(prefix + "member 'name' is missing");
  if (port.origin.empty()) port.origin = "port '" + port.settings.name + "'";
  return port;
}

}  // namespace control
