#include "control/configuration.h"

#include <algorithm>
#include <set>

#include "client/default_paths.h"
#include "control/cpus.h"

namespace control {
namespace {

namespace fs = std::filesystem;

void check_length(const fs::path& socket, const std::string& origin) {
  const size_t length = socket.string().size();
  if (length > kLongestSocketPath) {
    throw ConfigError(origin, "the socket path '" + socket.string() + "' has " +
                                  std::to_string(length) + " bytes, and unix sockets take " +
                                  std::to_string(kLongestSocketPath) +
                                  "; choose a shorter directory or name");
  }
}

std::string origin_or(const Configuration& configuration, std::string_view key,
                      const std::string& fallback) {
  const auto found = configuration.origins.find(key);
  return found != configuration.origins.end() ? found->second : fallback;
}

// Sockets with short names of their own lie in it.
void check_private_dir(const Configuration& configuration) {
  constexpr size_t kLongest = kLongestSocketPath - std::string_view("/port-9999.sock").size();
  const fs::path& path = configuration.switching.runtime_dir;
  if (path.string().size() <= kLongest) return;
  throw ConfigError(origin_or(configuration, "private_dir", "private_dir"),
                    "'" + path.string() + "' is too long for the sockets in it, " +
                        std::to_string(kLongest) +
                        " bytes at the most; choose a shorter one with --private-dir");
}

void fill_in_paths(Configuration& configuration) {
  if (configuration.control_socket.empty()) configuration.control_socket = client::control_socket();
  if (configuration.socket_dir.empty()) {
    // Beside the control socket when only that was named, so that no default is needed then.
    configuration.socket_dir = configuration.control_socket.parent_path();
  }
  if (configuration.switching.runtime_dir.empty()) {
    fs::path directory = configuration.control_socket;
    configuration.switching.runtime_dir = directory.replace_extension(".private");
  }
  if (!configuration.state_file) {
    try {
      configuration.state_file = client::state_file(configuration.control_socket);
    } catch (const client::PathError&) {
      // Only adding a port for good needs one; that request then says what is missing.
    }
  }
}

void fill_in_workers(Configuration& configuration) {
  std::vector<int>& workers = configuration.switching.workers;
  if (workers.empty()) workers.push_back(allowed_cpus().back());
}

void check_ports_together(const Configuration& configuration) {
  std::map<fs::path, std::string> sockets = {
      {configuration.control_socket.lexically_normal(), "the control socket"}};
  std::map<uint64_t, std::string> macs;
  for (const PortConfig& port : configuration.ports) {
    const std::string name = "port '" + port.settings.name + "'";
    const auto [socket, is_new] = sockets.emplace(port.settings.socket.lexically_normal(), name);
    if (!is_new) {
      throw ConfigError(port.origin_of("socket"),
                        name + " and " + socket->second + " have the same socket " +
                            port.settings.socket.string() + "; give each its own");
    }
    for (const bridge::MacAddress& mac : port.static_macs) {
      const auto [entry, is_free] = macs.emplace(mac.wire_bits(), name);
      if (!is_free) {
        throw ConfigError(port.origin_of("static_macs"),
                          mac.to_string() + " is a static address of " + entry->second +
                              " already; an address lives on one port");
      }
    }
  }
}

}  // namespace

const std::string& PortConfig::origin_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found != origins.end() ? found->second : origin;
}

PortConfig* Configuration::find_port(const std::string& name) {
  const auto found = std::find_if(ports.begin(), ports.end(), [&](const PortConfig& port) {
    return port.settings.name == name;
  });
  return found != ports.end() ? &*found : nullptr;
}

bool is_port_name(const std::string& name) {
  constexpr size_t kLongestName = 63;
  constexpr std::string_view kAlphanumeric =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (name.empty() || name.size() > kLongestName) return false;
  if (kAlphanumeric.find(name.front()) == std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return kAlphanumeric.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
  });
}

void check_port(const PortConfig& port, const Identity& identity) {
  check_length(port.settings.socket, port.origin_of("socket"));
  const vhost::SocketAccess& access = port.settings.access;
  if (access.connection == vhost::ConnectionMode::client) return;  // the VMM's socket
  if (access.owner && !identity.may_own(*access.owner)) {
    throw ConfigError(port.origin_of("socket_owner"),
                      "a switch that runs as user " + std::to_string(identity.uid) +
                          " may not give a socket to user " + std::to_string(*access.owner) +
                          "; let the VMM in by socket_group and socket_mode, or run the switch as "
                          "root");
  }
  if (access.group && !identity.may_group(*access.group)) {
    throw ConfigError(port.origin_of("socket_group"),
                      "a switch that runs as user " + std::to_string(identity.uid) +
                          " may not give a socket to group " + std::to_string(*access.group) +
                          ", which it is not in; add the user to that group (usermod -aG) and "
                          "start again");
  }
}

Identity identity_for(const Configuration& configuration) {
  if (configuration.user.empty()) return current_identity();
  return identity_of(configuration.user, origin_or(configuration, "user", "user"));
}

void complete(Configuration& configuration) {
  fill_in_paths(configuration);
  fill_in_workers(configuration);
  check_length(configuration.control_socket,
               origin_or(configuration, "control_socket", "default control socket"));
  check_private_dir(configuration);
  const Identity identity = identity_for(configuration);
  if (configuration.control_socket_group &&
      !identity.may_group(*configuration.control_socket_group)) {
    throw ConfigError(origin_or(configuration, "control_socket_group", "control_socket_group"),
                      "the switch may not give its socket to a group that it is not in; add its "
                      "user to that group (usermod -aG) and start again");
  }
  for (PortConfig& port : configuration.ports) {
    if (port.settings.socket.empty()) {
      port.settings.socket = configuration.socket_dir / (port.settings.name + ".sock");
    }
    check_port(port, identity);
  }
  if (configuration.ports.size() > datapath::kMaxPorts) {
    throw ConfigError(configuration.ports[datapath::kMaxPorts].origin,
                      "more than " + std::to_string(datapath::kMaxPorts) +
                          " ports; a switch has that many at the most");
  }
  check_ports_together(configuration);
}

}  // namespace control
