// What is asked of a switch about a port.
//
// Threads: make_port() blocks, so it runs in the background. Errors: those of the RPC client, in
// the switch's words.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "process/child_process.h"
#include "process/error.h"
#include "topology/topology.h"

namespace launcher {

struct PortWish {
  std::string name;
  bool isolated = false;
  uint16_t mtu = 1500;              // of the guest: it is told, and held to it
  uint16_t queues = 1;              // pairs that the guest may have
  MacText mac;                      // that lives there and nowhere else; empty: none
  std::optional<Credentials> user;  // whose VMM connects; none: the launcher's own
};

// A VMM that lives is connected to it, and it is none of ours.
class PortInUse : public LaunchError {
 public:
  using LaunchError::LaunchError;
};

struct PortRequest {
  std::filesystem::path control_socket;
  uid_t switch_user = 0;
  std::string name;  // of the port on the switch
  PortWish wish;
  bool keeps = false;  // one that is there: it is ours, and its VMM may be connected
};

nlohmann::json ask(const std::filesystem::path& control_socket, const std::string& method,
                   const nlohmann::json& params);

// The port. One that a launcher which was killed has left is replaced, and so is a socket that was
// given to the VM's user before the switch was started anew: the switch itself can tell neither
// whose it is nor whether somebody listens.
nlohmann::json make_port(const PortRequest& request);

}  // namespace launcher
