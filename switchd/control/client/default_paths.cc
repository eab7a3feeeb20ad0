#include "client/default_paths.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace client {
namespace {

namespace fs = std::filesystem;

// Empty counts as unset (XDG Base Directory Specification 0.8, "Environment variables").
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// systemd separates several directories by colons; the first is the one meant for us.
std::string first_directory(const char* name) {
  const std::string all = environment(name);
  return all.substr(0, all.find(':'));
}

bool is_root() {
  return geteuid() == 0;
}

}  // namespace

fs::path run_directory() {
  if (const std::string unit = first_directory("RUNTIME_DIRECTORY"); !unit.empty()) return unit;
  if (is_root()) return "/run/switchd";
  const std::string user = environment("XDG_RUNTIME_DIR");
  if (user.empty()) {
    throw PathError(
        "XDG_RUNTIME_DIR is not set, so there is no default place for sockets; set it, or name the "
        "paths (switchd: --control-socket and --socket-dir; switchctl: --socket)");
  }
  return fs::path(user) / "switchd";
}

fs::path control_socket() {
  return run_directory() / "control.sock";
}

fs::path state_directory() {
  if (const std::string unit = first_directory("STATE_DIRECTORY"); !unit.empty()) return unit;
  if (is_root()) return "/var/lib/switchd";
  if (const std::string state = environment("XDG_STATE_HOME"); !state.empty()) {
    return fs::path(state) / "switchd";
  }
  const std::string home = environment("HOME");
  if (home.empty()) {
    throw PathError(
        "neither XDG_STATE_HOME nor HOME is set, so there is no default place for the state file; "
        "name it with --state-file");
  }
  return fs::path(home) / ".local/state/switchd";
}

fs::path state_file(const fs::path& socket) {
  std::string name = "ports.json";
  try {
    if (socket != control_socket()) throw PathError("not the default");
  } catch (const PathError&) {
    // As systemd-escape(1) does for paths, without the leading slash.
    name = socket.lexically_normal().string();
    name.erase(0, name.find_first_not_of('/'));
    std::replace(name.begin(), name.end(), '/', '-');
    name += ".json";
  }
  return state_directory() / name;
}

}  // namespace client
