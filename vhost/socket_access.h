// Who listens on a port's socket, its mode and ownership, and the peers that are let in.
//
// Threads: a plain value, copied freely.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace vhost {

// The switch as seen from the socket: VMMs connect to it, or it connects to the VMM that listens.
enum class ConnectionMode { server, client };

// Of a socket that the VMM made (client), `owner` and `group` are what it must have, and `mode`
// says nothing.
struct SocketAccess {
  ConnectionMode connection = ConnectionMode::server;
  mode_t mode = 0660;          // permission bits of the socket, right from its first moment
  std::optional<uid_t> owner;  // as the process creates it when unset
  std::optional<gid_t> group;
  // Peers by SO_PEERCRED (unix(7)). Both lists empty: whoever the mode lets connect.
  // Otherwise the peer's uid or gid must stand in one of them.
  std::vector<uid_t> allow_uid;
  std::vector<gid_t> allow_gid;

  bool lists_peers() const { return !allow_uid.empty() || !allow_gid.empty(); }
  bool admits(uid_t uid, gid_t gid) const {
    if (!lists_peers()) return true;
    return std::find(allow_uid.begin(), allow_uid.end(), uid) != allow_uid.end() ||
           std::find(allow_gid.begin(), allow_gid.end(), gid) != allow_gid.end();
  }

  bool operator==(const SocketAccess&) const = default;
};

}  // namespace vhost
