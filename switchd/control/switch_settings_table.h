// The settings of the switch itself, one row each: the keys of [switch] in the configuration, and
// the options of the same name with dashes.
//
// Threads: constant. Errors: ConfigError from apply.
#pragma once

#include <span>
#include <string_view>

#include "control/configuration.h"
#include "control/value.h"

namespace control {

struct SwitchSettingRow {
  std::string_view key;
  ValueKind kind;
  std::string_view argument;  // what a value looks like, for people
  std::string_view help;
  void (*apply)(Configuration& configuration, const Value& value);
};

std::span<const SwitchSettingRow> switch_settings_table();

const SwitchSettingRow* find_switch_setting(std::string_view key);

// Applies the row and remembers where the value came from.
void apply_switch_setting(const SwitchSettingRow& row, Configuration& configuration,
                          const Value& value);

}  // namespace control
