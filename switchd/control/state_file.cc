#include "control/state_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "control/files.h"
#include "control/port_settings_table.h"

namespace control {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr const char* kRemedy =
    "; repair it, or move it away to start without the ports that were added at run time";

StaticMac mac_from_json(const json& object, const std::string& where) {
  if (!object.is_object() || object.size() != 2 || !object.contains("address") ||
      !object.contains("port") || !object["address"].is_string() || !object["port"].is_string()) {
    throw ConfigError(where, "expected an address and a port");
  }
  const auto address = bridge::MacAddress::parse(object["address"].get<std::string>());
  if (!address || address->is_group() || address->is_zero()) {
    throw ConfigError(where, "the address is none of a station");
  }
  return {*address, object["port"].get<std::string>()};
}

json to_json(const StaticMac& mac) {
  return {{"address", mac.address.to_string()}, {"port", mac.port}};
}

const json& array_member(const json& root, const char* key) {
  const auto found = root.find(key);
  if (found == root.end() || !found->is_array()) {
    throw ConfigError(std::string("member '") + key + "' is missing or no list");
  }
  return *found;
}

}  // namespace

StateFile::StateFile(std::optional<std::filesystem::path> path) : path_(std::move(path)) {
  if (!path_) return;
  try {
    if (const auto text = read_file(*path_)) state_ = parse(*text);
  } catch (const std::system_error& error) {
    throw ConfigError("state file " + path_->string(), "cannot be read: " + error.code().message());
  } catch (const ConfigError& error) {
    throw ConfigError("state file " + path_->string(), error.what() + std::string(kRemedy));
  }
}

StateFile::State StateFile::parse(const std::string& text) const {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) throw ConfigError("it is not JSON, or cut off");
  if (root.value("version", json()) != json(kVersion)) {
    throw ConfigError("its version is not " + std::to_string(kVersion) +
                      ", the one this switchd understands");
  }
  State state;
  std::set<std::string> names;
  for (const json& element : array_member(root, "ports")) {
    PortConfig port = port_from_json(element, "port " + std::to_string(names.size() + 1));
    if (!names.insert(port.settings.name).second) {
      throw ConfigError("port '" + port.settings.name + "' stands there twice");
    }
    if (port.settings.socket.empty()) {
      throw ConfigError("port '" + port.settings.name + "' has no socket");
    }
    state.ports.push_back(std::move(port));
  }
  for (const json& element : array_member(root, "static_macs")) {
    state.macs.push_back(
        mac_from_json(element, "static address " + std::to_string(state.macs.size() + 1)));
  }
  return state;
}

bool StateFile::has_port(const std::string& name) const {
  return std::any_of(state_.ports.begin(), state_.ports.end(),
                     [&](const PortConfig& port) { return port.settings.name == name; });
}

bool StateFile::has_mac(bridge::MacAddress address) const {
  return std::any_of(state_.macs.begin(), state_.macs.end(),
                     [&](const StaticMac& mac) { return mac.address == address; });
}

void StateFile::add_port(const PortConfig& port) {
  State changed = state_;
  std::erase_if(changed.ports,
                [&](const PortConfig& other) { return other.settings.name == port.settings.name; });
  changed.ports.push_back(port);
  for (const bridge::MacAddress& address : port.static_macs) {
    std::erase_if(changed.macs, [&](const StaticMac& mac) { return mac.address == address; });
    changed.macs.push_back({address, port.settings.name});
  }
  changed.ports.back().static_macs.clear();
  commit(std::move(changed));
}

void StateFile::remove_port(const std::string& name) {
  State changed = state_;
  const size_t removed =
      std::erase_if(changed.ports, [&](const auto& port) { return port.settings.name == name; }) +
      std::erase_if(changed.macs, [&](const StaticMac& mac) { return mac.port == name; });
  if (removed > 0) commit(std::move(changed));
}

void StateFile::add_mac(const StaticMac& mac) {
  State changed = state_;
  std::erase_if(changed.macs, [&](const auto& other) { return other.address == mac.address; });
  changed.macs.push_back(mac);
  commit(std::move(changed));
}

void StateFile::remove_mac(bridge::MacAddress address) {
  if (!has_mac(address)) return;
  State changed = state_;
  std::erase_if(changed.macs, [&](const StaticMac& mac) { return mac.address == address; });
  commit(std::move(changed));
}

void StateFile::commit(State changed) {
  const char* const remedy = "; choose a place with --state-file, or make the change transient";
  if (!path_) throw StateError(std::string("there is no place to keep it") + remedy);
  json root = {{"version", kVersion}, {"ports", json::array()}, {"static_macs", json::array()}};
  for (const PortConfig& port : changed.ports) root["ports"].push_back(port_settings_json(port));
  for (const StaticMac& mac : changed.macs) root["static_macs"].push_back(to_json(mac));
  try {
    std::filesystem::create_directories(path_->parent_path());
    write_file_atomically(*path_, root.dump(2) + "\n");
  } catch (const std::system_error& error) {
    throw StateError("state file " + path_->string() +
                     " cannot be written: " + error.code().message() + remedy);
  }
  state_ = std::move(changed);
}

}  // namespace control
