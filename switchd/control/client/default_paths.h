// Where the programs of this project find each other when nothing else is said.
//
//                     root or a systemd unit              an ordinary user
//   run directory     /run/switchd, $RUNTIME_DIRECTORY    $XDG_RUNTIME_DIR/switchd
//   state directory   /var/lib/switchd, $STATE_DIRECTORY  $XDG_STATE_HOME/switchd or
//                                                         ~/.local/state/switchd
//
// $RUNTIME_DIRECTORY and $STATE_DIRECTORY: systemd.exec(5). The others: XDG Base Directory
// Specification 0.8.
//
// Threads: reads the environment; call before threads start. Errors: PathError names the variable
// and the option that does without it.
#pragma once

#include <filesystem>
#include <stdexcept>

namespace client {

class PathError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::filesystem::path run_directory();
std::filesystem::path control_socket();   // control.sock in the run directory
std::filesystem::path state_directory();  // not created here

// The state file of the switch that answers on `control_socket`. Each switch has one of its own:
// the default socket's is ports.json, another's carries the socket's path in its name.
std::filesystem::path state_file(const std::filesystem::path& control_socket);

}  // namespace client
