#include "control/options.h"

#include <fcntl.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <sstream>
#include <vector>

#include "control/config_file.h"
#include "control/port_settings_table.h"
#include "control/switch_settings_table.h"
#include "control/value.h"

namespace control {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

constexpr const char* kExamples = R"(
A switch needs no configuration file. Two ports, sockets in the run directory:
  switchd --port vm1 --port vm2
The same with sockets of your choice, on CPU 3, never asleep:
  switchd --port vm1=/tmp/vm1.sock --port vm2=/tmp/vm2.sock --workers 3 --poll busy
Clients that reach the router and not each other:
  switchd --port router --port a --port b --isolated a --isolated b
From a file, with one setting overridden; and only looking at it:
  switchd --config /etc/switchd/switchd.toml --log-level debug
  switchd --config /etc/switchd/switchd.toml --check-config

Without a choice of yours sockets are in /run/switchd for root and systemd units, in
$XDG_RUNTIME_DIR/switchd for users. Talk to a running switch with switchctl.
SIGTERM and SIGINT stop it; guests keep running and come back when it does.
Exit status: 0 stopped, 1 failed, 2 not started because of its configuration.
)";

std::string option_name(std::string_view key) {
  std::string name(key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// Repeatable options take one value each time: "--port a --port b", never "--port a b".
po::typed_value<Texts>* texts(const std::string& argument) {
  return po::value<Texts>()->composing()->value_name(argument);
}

po::options_description general_options() {
  po::options_description options("Options");
  options.add_options()                                                            //
      ("help,h", "this text")                                                      //
      ("version", "the version")                                                   //
      ("config", texts("FILE"), "read settings from FILE; options override them")  //
      ("check-config", "check all settings, start nothing")                        //
      ("ready-fd", texts("N"), "write a newline to descriptor N once every socket listens");
  return options;
}

po::options_description switch_options() {
  po::options_description options("The switch");
  for (const SwitchSettingRow& row : switch_settings_table()) {
    options.add_options()(option_name(row.key).c_str(), texts(std::string(row.argument)),
                          std::string(row.help).c_str());
  }
  return options;
}

bool has_own_option(const PortSettingRow& row) {
  return row.key != "name" && row.key != "socket";
}

po::options_description port_options() {
  po::options_description options("Ports (each may be given several times)");
  options.add_options()("port", texts("NAME[=SOCKET]"),
                        "a port, and the socket its VMM connects to");
  for (const PortSettingRow& row : port_settings_table()) {
    if (!has_own_option(row)) continue;
    const bool is_flag = row.kind == ValueKind::boolean;
    const std::string argument = is_flag ? "NAME" : "NAME=" + std::string(row.argument);
    options.add_options()(option_name(row.key).c_str(), texts(argument),
                          std::string(row.help).c_str());
  }
  return options;
}

po::variables_map parse(int argc, const char* const argv[]) {
  po::options_description all;
  all.add(general_options()).add(switch_options()).add(port_options());
  po::variables_map variables;
  try {
    constexpr int kStyle =
        po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(argc, argv)
                  .options(all)
                  .positional(po::positional_options_description())
                  .style(kStyle)
                  .run(),
              variables);
  } catch (const po::error& error) {
    throw ConfigError(std::string("command line: ") + error.what() + "; see switchd --help");
  }
  return variables;
}

// The one value of an option that makes sense once.
std::optional<std::string> single(const po::variables_map& variables, const std::string& name) {
  if (variables.count(name) == 0) return std::nullopt;
  const Texts& values = variables[name].as<Texts>();
  if (values.size() > 1) throw ConfigError("option --" + name, "given twice");
  return values.front();
}

std::string absolute(const std::string& path) {
  return path.empty() || path.front() == '/' ? path : fs::absolute(path).string();
}

bool is_path(std::string_view argument) {
  return argument == "PATH" || argument == "DIR";
}

void apply_switch_options(const po::variables_map& variables, Configuration& configuration) {
  for (const SwitchSettingRow& row : switch_settings_table()) {
    const std::string name = option_name(row.key);
    const auto text = single(variables, name);
    if (!text) continue;
    apply_switch_setting(row, configuration,
                         value_from_text(row.kind, is_path(row.argument) ? absolute(*text) : *text,
                                         "option --" + name));
  }
}

// "NAME=VALUE" in two; the value is absent without '='.
struct PortArgument {
  std::string name;
  std::optional<std::string> value;
};

PortArgument split_port_argument(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, std::nullopt};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// --port NAME[=SOCKET]: a port of its own, or another socket for one of the file.
void apply_port_option(const std::string& text, Configuration& configuration) {
  const PortArgument argument = split_port_argument(text);
  const std::string origin = "option --port " + argument.name;
  PortConfig* port = configuration.find_port(argument.name);
  if (port != nullptr && port->origin == origin) {
    throw ConfigError(origin, "given twice; give each port its own name");
  }
  if (port == nullptr) {
    PortConfig added;
    apply_port_setting(*find_port_setting("name"), added,
                       value_from_text(ValueKind::text, argument.name, origin));
    configuration.ports.push_back(std::move(added));
    port = &configuration.ports.back();
  }
  port->origin = origin;
  if (argument.value) {
    apply_port_setting(*find_port_setting("socket"), *port,
                       value_from_text(ValueKind::text, absolute(*argument.value), origin));
  }
}

void apply_port_setting_option(const PortSettingRow& row, const std::string& text,
                               Configuration& configuration) {
  const PortArgument argument = split_port_argument(text);
  const std::string origin = "option --" + option_name(row.key) + " " + argument.name;
  PortConfig* port = configuration.find_port(argument.name);
  if (port == nullptr) {
    throw ConfigError(origin, "there is no such port; add it with --port " + argument.name);
  }
  if (!argument.value && row.kind != ValueKind::boolean) {
    throw ConfigError(
        origin, "no value; write --" + option_name(row.key) + " NAME=" + std::string(row.argument));
  }
  apply_port_setting(row, *port,
                     value_from_text(row.kind, argument.value.value_or("true"), origin));
}

void apply_port_options(const po::variables_map& variables, Configuration& configuration) {
  if (variables.count("port") != 0) {
    for (const std::string& text : variables["port"].as<Texts>()) {
      apply_port_option(text, configuration);
    }
  }
  for (const PortSettingRow& row : port_settings_table()) {
    const std::string name = option_name(row.key);
    if (!has_own_option(row) || variables.count(name) == 0) continue;
    for (const std::string& text : variables[name].as<Texts>()) {
      apply_port_setting_option(row, text, configuration);
    }
  }
}

std::optional<int> ready_fd(const po::variables_map& variables) {
  const auto text = single(variables, "ready-fd");
  if (!text) return std::nullopt;
  constexpr int64_t kMost = 1 << 20;
  const Value value = value_from_text(ValueKind::integer, *text, "option --ready-fd");
  const int descriptor = static_cast<int>(value.integer(0, kMost));
  if (fcntl(descriptor, F_GETFD) < 0) {
    value.fail("descriptor " + *text + " is not open; write: switchd --ready-fd 3 3>FILE");
  }
  return descriptor;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const argv[]) {
  const po::variables_map variables = parse(argc, argv);
  CommandLine line;
  if (variables.count("help") != 0) {
    line.action = CommandLine::Action::show_help;
    return line;
  }
  if (variables.count("version") != 0) {
    line.action = CommandLine::Action::show_version;
    return line;
  }
  if (variables.count("check-config") != 0) line.action = CommandLine::Action::check_config;
  if (const auto file = single(variables, "config")) {
    read_config_file(*file, line.configuration);
  }
  apply_switch_options(variables, line.configuration);
  apply_port_options(variables, line.configuration);
  line.ready_fd = ready_fd(variables);
  complete(line.configuration);
  return line;
}

std::string help_text() {
  std::ostringstream text;
  text << "switchd: a user-space switch for virtual machines with vhost-user NICs.\n"
       << "Usage: switchd [--config FILE] [OPTION...]\n\n"
       << general_options() << "\n"
       << switch_options() << "\n"
       << port_options() << kExamples;
  return text.str();
}

}  // namespace control
