#include "topology/topology_file.h"

#include <fstream>
#include <regex>
#include <sstream>

#include "topology/address.h"
#include "topology/identity.h"
#include "topology/toml_table.h"
#include "topology/topology_check.h"
#include "topology/vm_reader.h"

namespace launcher {
namespace {

// "10.64.0.0/16" -> "10.64.0.0".
std::string read_network(TomlTable& table) {
  const auto text = table.text("network");
  if (!text) return "";
  const size_t slash = text->find('/');
  const auto address = parse_ipv4(text->substr(0, slash));
  if (!address || slash == std::string::npos || text->substr(slash) != "/16" ||
      (*address & 0xffff) != 0) {
    table.fail("network", "'" + *text + "' is no network of 16 bits; write \"10.64.0.0/16\"");
  }
  return ipv4_text(*address);
}

SwitchConfig read_switch(TomlTable& table) {
  static const std::regex kName("[A-Za-z0-9][A-Za-z0-9-]{0,15}");
  SwitchConfig config;
  config.origin = table.origin();
  set(config.segment, table.text("segment"));
  if (!std::regex_match(config.segment, kName)) {
    table.fail("segment", "'" + config.segment + "' is no name; up to 16 letters, digits and '-'");
  }
  set(config.control_socket, table.path("control_socket"));
  config.start = config.control_socket.empty();
  set(config.config, table.path("config"));
  set(config.workers, table.text("workers"));
  set(config.poll, table.text("poll"));
  config.network = read_network(table);
  for (const char* key : {"config", "workers", "poll"}) {
    if (!config.start && table.has(key)) {
      table.fail(key, "is for a switch that the launcher starts; this one runs already");
    }
  }
  table.finish();
  return config;
}

void read_mac_table(TomlTable table, Topology& topology) {
  set(topology.oui, table.text("oui"));
  const auto oui = parse_oui(topology.oui);
  if (!oui || is_group(uint64_t{oui.value_or(0)} << 24)) {
    table.fail("oui", "'" + topology.oui + "' is no OUI; write \"02:00:00\", the first octet even");
  }
  table.finish();
}

void read_users(TomlTable table, Topology& topology) {
  constexpr int64_t kMostUser = 0xffff'fffe - 1;
  set(topology.first_user, table.integer("first", 1, kMostUser));
  set(topology.last_user, table.integer("last", 1, kMostUser));
  if (topology.last_user < topology.first_user) table.fail("last", "is below first");
  table.finish();
}

void read_name(TomlTable& root, Topology& topology) {
  static const std::regex kName("[A-Za-z0-9][A-Za-z0-9_.-]{0,30}");
  const auto given = root.text("name");
  topology.name = given ? *given : topology.file.stem().string();
  if (std::regex_match(topology.name, kName)) return;
  root.fail("name", "'" + topology.name + "' is no name; up to 31 letters, digits, '.', '_', '-'");
}

Topology read_root(TomlTable root, const std::filesystem::path& file) {
  Topology topology;
  topology.file = file;
  read_name(root, topology);
  if (auto mac = root.table("mac")) read_mac_table(std::move(*mac), topology);
  if (auto users = root.table("users")) read_users(std::move(*users), topology);
  for (TomlTable& table : root.tables("switch", true)) {
    topology.switches.push_back(read_switch(table));
  }
  if (topology.switches.empty()) {
    topology.switches.emplace_back();
    topology.switches.back().origin = file.string();
  }
  VmConfig defaults;
  if (auto table = root.table("defaults")) {
    read_vm_settings(*table, defaults);
    table->finish();
  }
  for (TomlTable& table : root.tables("vm")) topology.vms.push_back(read_vm(table, defaults));
  root.finish();
  return topology;
}

}  // namespace

Topology read_topology(std::string_view text, const std::filesystem::path& file) {
  try {
    const toml::table parsed = toml::parse(text, file.string());
    Topology topology = read_root(TomlTable(parsed, file, ""), file);
    check_topology(topology);
    assign_networks(topology);
    assign_identities(topology);
    return topology;
  } catch (const toml::parse_error& error) {
    throw TopologyError(file.string() + ":" + std::to_string(error.source().begin.line),
                        "not TOML: " + std::string(error.description()));
  }
}

Topology read_topology_file(const std::filesystem::path& path) {
  const std::filesystem::path file = std::filesystem::absolute(path).lexically_normal();
  std::ifstream stream(file);
  std::ostringstream text;
  if (!std::filesystem::is_regular_file(file) || !(text << stream.rdbuf())) {
    throw TopologyError(file.string(), "there is no such file, or it cannot be read");
  }
  return read_topology(text.str(), file);
}

}  // namespace launcher
