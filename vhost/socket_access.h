// Who may use a port's socket: its mode and ownership, and the peers that are let in.
//
// Threads: a plain value, copied freely.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace vhost {

struct SocketAccess {
  mode_t mode = 0660;          // permission bits of the socket, right from its first moment
  std::optional<uid_t> owner;  // as the process creates it when unset
  std::optional<gid_t> group;
  // Peers by SO_PEERCRED (unix(7)). Both lists empty: whoever the mode lets connect.
  // Otherwise the peer's uid or gid must stand in one of them.
  std::vector<uid_t> allow_uid;
  std::vector<gid_t> allow_gid;

  bool admits(uid_t uid, gid_t gid) const {
    if (allow_uid.empty() && allow_gid.empty()) return true;
    return std::find(allow_uid.begin(), allow_uid.end(), uid) != allow_uid.end() ||
           std::find(allow_gid.begin(), allow_gid.end(), gid) != allow_gid.end();
  }

  bool operator==(const SocketAccess&) const = default;
};

}  // namespace vhost
