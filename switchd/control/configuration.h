// Everything switchd is told before it starts, checked as a whole: nothing starts half.
//
// Sources, later ones override: built-in defaults, the TOML file (config_file.h), options
// (options.h). complete() then fills in what nobody said and checks what only shows when all is
// known: two ports on one socket, paths too long, owners that may not be set.
//
// Threads: a plain value. Errors: ConfigError.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bridge/mac_address.h"
#include "control/accounts.h"
#include "datapath/switch_api.h"
#include "datapath/switch_settings.h"

namespace control {

// sun_path without its final NUL (unix(7)).
inline constexpr size_t kLongestSocketPath = 107;

struct PortConfig {
  datapath::PortSettings settings;
  std::vector<bridge::MacAddress> static_macs;
  std::string origin;                                       // of the port as a whole
  std::map<std::string, std::string, std::less<>> origins;  // of each key that was given

  const std::string& origin_of(std::string_view key) const;
};

struct Configuration {
  datapath::SwitchSettings switching;
  std::filesystem::path socket_dir;
  std::filesystem::path control_socket;
  mode_t control_socket_mode = 0600;
  std::optional<gid_t> control_socket_group;
  std::optional<std::filesystem::path> state_file;  // none: nothing can be kept
  std::string user;                                 // empty: stay who we are
  std::string log_level = "info";
  std::vector<PortConfig> ports;
  std::map<std::string, std::string, std::less<>> origins;  // of each key that was given

  PortConfig* find_port(const std::string& name);
};

// Port names become file names and appear in tables: letters, digits and ._- after a first letter
// or digit, 63 at the most.
bool is_port_name(const std::string& name);

// Fails when `port` cannot be given to a switch run by `identity`: path too long, owner or group
// that may not be set.
void check_port(const PortConfig& port, const Identity& identity);

// Defaults for all that was not given, and the checks of the whole.
void complete(Configuration& configuration);

// As whom the switch will run: the current user, or `user`.
Identity identity_for(const Configuration& configuration);

}  // namespace control
