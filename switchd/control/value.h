// A setting as it was given, wherever it came from, and where that was.
//
// Theory of operation. A setting may come from the TOML file, from an option, from a request on the
// control socket or from the state file. Each source turns what it has into a Value that remembers
// its origin ("switchd.toml:12: key 'mac_limit'", "option --workers", "member 'isolated'"); the
// tables of settings (switch_settings_table.h, port_settings_table.h) check and apply Values, so
// that each rule stands in one place and each error names the place of its cause.
//
// Threads: plain values. Errors: ConfigError.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace control {

// Something the operator wrote cannot be: origin, what is wrong and the remedy in what().
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ConfigError(const std::string& origin, const std::string& problem)
      : std::runtime_error(origin + ": " + problem) {}
};

enum class ValueKind { boolean, integer, text, mode, text_list, integer_list, name_list };

using NameOrNumber = std::variant<std::string, int64_t>;

struct Value {
  using List = std::vector<NameOrNumber>;

  std::variant<bool, int64_t, std::string, List> data;
  std::string origin;
  bool octal = false;  // an integer that was written in octal (TOML's 0o660)

  [[noreturn]] void fail(const std::string& problem) const;

  bool boolean() const;
  int64_t integer(int64_t least, int64_t most) const;
  const std::string& text() const;
  mode_t mode() const;  // "0660", or 0o660 in TOML
  std::vector<std::string> text_list() const;
  std::vector<int64_t> integer_list() const;
  List name_list() const;  // names or numbers; a single one stands for a list of one
};

// What a command line gives: `kind` says how to read the text. Lists are separated by commas,
// lists of integers may hold ranges (0,2-3).
Value value_from_text(ValueKind kind, std::string_view text, std::string origin);

// A member of a JSON object.
Value value_from_json(const nlohmann::json& json, std::string origin);

// A path that does not hang on the directory the program happens to run in.
std::string absolute_path(const Value& value);

}  // namespace control
