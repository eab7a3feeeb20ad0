// Where one running topology lives, and the lock that makes it one launcher's.
//
//   DIR/lock                  held for as long as the launcher runs; says who it is
//   DIR/control.sock          the other commands' way in
//   DIR/vm/NAME/              a VM's own, of its user, 0700
//   DIR/switch/SEGMENT/       a switch's own, of its user; others may pass through to their sockets
//   DIR/console/NAME.sock     serial consoles
//   DIR/log/NAME.log, NAME.console, switch-SEGMENT.log
//   DIR/devices.json          devices taken from the host, to be given back
//
// The directory is DIR = /run/launcher/NAME for root, else $XDG_RUNTIME_DIR/launcher/NAME.
// Threads: the event loop's. Errors: LaunchError; OwnedError when another launcher has it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "process/child_process.h"
#include "runtime/lock_file.h"

namespace launcher {

// Where all topologies of this user are.
std::filesystem::path launcher_directory();
// Where what outlives a launcher is: /var/lib/launcher, or XDG_STATE_HOME's.
std::filesystem::path record_directory();

// Of this user's launchers; made when it is not there.
std::filesystem::path lock_directory();

// Of a directory through which VMs' users pass to their own: they see no other.
inline constexpr mode_t kPassThrough = 0711;

class StateDirectory {
 public:
  // Takes the lock and removes what a launcher that was killed has left, but devices.json.
  StateDirectory(std::filesystem::path path, const std::string& topology_file);
  // Removes everything, unless keep_logs() was called: then all but log/.
  ~StateDirectory();

  void keep_logs() { keeps_logs_ = true; }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path control_socket() const { return path_ / "control.sock"; }
  std::filesystem::path vm(const std::string& name) const { return path_ / "vm" / name; }
  std::filesystem::path segment(const std::string& name) const { return path_ / "switch" / name; }
  std::filesystem::path console(const std::string& vm) const {
    return path_ / "console" / (vm + ".sock");
  }
  std::filesystem::path log(const std::string& file) const { return path_ / "log" / file; }
  std::filesystem::path devices() const { return path_ / "devices.json"; }

  // An empty directory of that user; what was there is removed. LaunchError, too, when the user may
  // not pass through one above it.
  static void make_private(const std::filesystem::path& path, mode_t mode,
                           const std::optional<Credentials>& owner);

 private:
  void clear(bool all) const;

  std::filesystem::path path_;
  std::optional<LockFile> lock_;
  bool keeps_logs_ = false;
};

}  // namespace launcher
