#include "control/config_file.h"

#include <toml++/toml.h>

#include <system_error>

#include "control/files.h"
#include "control/port_settings_table.h"
#include "control/switch_settings_table.h"
#include "control/value.h"

namespace control {
namespace {

class FileReader {
 public:
  FileReader(std::string name, Configuration& configuration)
      : name_(std::move(name)), configuration_(configuration) {}

  void read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (key.str() == "switch") {
        read_switch(key, node);
      } else if (key.str() == "port") {
        read_ports(key, node);
      } else {
        fail(key, "unknown; a configuration has [switch] and [[port]] tables and nothing else");
      }
    }
  }

 private:
  std::string at(const toml::source_region& source) const {
    return name_ + ":" + std::to_string(source.begin.line);
  }
  std::string origin(const toml::key& key) const {
    return at(key.source()) + ": key '" + std::string(key.str()) + "'";
  }
  [[noreturn]] void fail(const toml::key& key, const std::string& problem) const {
    throw ConfigError(origin(key), problem);
  }

  void read_switch(const toml::key& key, const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) fail(key, "expected a table; write [switch]");
    for (const auto& [setting, value] : *table) {
      const SwitchSettingRow* row = find_switch_setting(setting.str());
      if (row == nullptr) fail(setting, "unknown; [switch] knows " + known_switch_keys());
      apply_switch_setting(*row, configuration_, convert(setting, value));
    }
  }

  void read_ports(const toml::key& key, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) fail(key, "expected tables; write [[port]] with two brackets");
    for (const toml::node& element : *array) {
      const toml::table* table = element.as_table();
      if (table == nullptr) fail(key, "expected tables; write [[port]] with two brackets");
      read_port(*table);
    }
  }

  void read_port(const toml::table& table) {
    PortConfig port;
    port.origin = at(table.source()) + ": [[port]]";
    for (const auto& [setting, value] : table) {
      const PortSettingRow* row = find_port_setting(setting.str());
      if (row == nullptr) fail(setting, "unknown; [[port]] knows " + known_port_keys());
      apply_port_setting(*row, port, convert(setting, value));
    }
    if (port.settings.name.empty()) {
      throw ConfigError(port.origin, "key 'name' is missing; a port needs one");
    }
    if (const PortConfig* other = configuration_.find_port(port.settings.name)) {
      throw ConfigError(port.origin_of("name"),
                        "a port '" + port.settings.name + "' is there already (" +
                            other->origin_of("name") + "); give each its own name");
    }
    configuration_.ports.push_back(std::move(port));
  }

  Value convert(const toml::key& key, const toml::node& node) const {
    Value value;
    value.origin = origin(key);
    if (const auto* array = node.as_array()) {
      Value::List list;
      for (const toml::node& element : *array) list.push_back(convert_element(value, element));
      value.data = std::move(list);
    } else if (const auto* flag = node.as_boolean()) {
      value.data = flag->get();
    } else {
      std::visit([&](auto&& element) { value.data = std::move(element); },
                 convert_element(value, node));
      const auto* integer = node.as_integer();
      value.octal = integer != nullptr && integer->flags() == toml::value_flags::format_as_octal;
    }
    return value;
  }

  static NameOrNumber convert_element(const Value& value, const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return number->get();
    value.fail("expected text, a whole number, true or false, or a list of them");
  }

  static std::string known_switch_keys() {
    std::string keys;
    for (const auto& row : switch_settings_table()) append_key(keys, row.key);
    return keys;
  }
  static std::string known_port_keys() {
    std::string keys;
    for (const auto& row : port_settings_table()) append_key(keys, row.key);
    return keys;
  }
  static void append_key(std::string& keys, std::string_view key) {
    if (!keys.empty()) keys += ", ";
    keys += key;
  }

  const std::string name_;
  Configuration& configuration_;
};

}  // namespace

void read_config_file(const std::filesystem::path& path, Configuration& configuration) {
  std::optional<std::string> text;
  try {
    text = read_file(path);
  } catch (const std::system_error& error) {
    throw ConfigError(path.string(), "cannot be read: " + error.code().message());
  }
  if (!text) throw ConfigError(path.string(), "there is no such configuration file");
  read_config(*text, path.string(), configuration);
}

void read_config(std::string_view text, const std::string& name, Configuration& configuration) {
  try {
    FileReader(name, configuration).read(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    throw ConfigError(name + ":" + std::to_string(error.source().begin.line),
                      "not TOML: " + std::string(error.description()));
  }
}

}  // namespace control
