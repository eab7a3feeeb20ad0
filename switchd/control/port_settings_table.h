// The settings of a port, one row each: the keys of [[port]] in the configuration, the options
// --key NAME=VALUE, the members of port.add's parameters and of the state file are all these.
//
// Threads: constant. Errors: ConfigError from apply.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/configuration.h"
#include "control/value.h"

namespace control {

struct PortSettingRow {
  std::string_view key;
  ValueKind kind;
  std::string_view argument;  // what a value looks like, for people
  std::string_view help;
  void (*apply)(PortConfig& port, const Value& value);
  nlohmann::json (*get)(const PortConfig& port);
};

std::span<const PortSettingRow> port_settings_table();

const PortSettingRow* find_port_setting(std::string_view key);

// Applies the row and remembers where the value came from.
void apply_port_setting(const PortSettingRow& row, PortConfig& port, const Value& value);

template <typename Id>
nlohmann::json or_null(const std::optional<Id>& id) {
  return id ? nlohmann::json(*id) : nlohmann::json();
}

// All rows of one port as an object.
nlohmann::json port_settings_json(const PortConfig& port);

// Reads such an object. `where` is its origin; unknown members are errors, and a name is needed.
PortConfig port_from_json(const nlohmann::json& object, const std::string& where);

}  // namespace control
