// What was added at run time and is to be there again after a restart: ports and static addresses.
//
// The file is JSON: {"version": 1, "ports": [...], "static_macs": [...]}. Each change is on disk
// before it counts (files.h), so that a crash at any moment loses nothing that was acknowledged. A
// file that cannot be read is an error, never an empty state: it may be all there is of somebody's
// set-up.
//
// Threads: main thread. Errors: ConfigError when the file cannot be understood, StateError when it
// cannot be written; the state in memory is then as it was.
#pragma once

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bridge/mac_address.h"
#include "control/configuration.h"

namespace control {

class StateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct StaticMac {
  bridge::MacAddress address;
  std::string port;

  bool operator==(const StaticMac&) const = default;
};

class StateFile {
 public:
  // Nothing is kept when there is no path. Reads the file if there is one.
  explicit StateFile(std::optional<std::filesystem::path> path);

  const std::vector<PortConfig>& ports() const { return state_.ports; }
  const std::vector<StaticMac>& macs() const { return state_.macs; }
  const std::optional<std::filesystem::path>& path() const { return path_; }
  bool has_port(const std::string& name) const;
  bool has_mac(bridge::MacAddress address) const;

  // The static addresses of `port` are kept with it.
  void add_port(const PortConfig& port);
  // Also forgets the addresses on it. No error when it was not kept.
  void remove_port(const std::string& name);
  void add_mac(const StaticMac& mac);
  void remove_mac(bridge::MacAddress address);

 private:
  struct State {
    std::vector<PortConfig> ports;
    std::vector<StaticMac> macs;
  };

  State parse(const std::string& text) const;
  void commit(State changed);

  std::optional<std::filesystem::path> path_;
  State state_;
};

}  // namespace control
