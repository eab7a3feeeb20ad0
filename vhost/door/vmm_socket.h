// A socket on which a VMM listens: looked at, and connected to.
//
// The VMM made the file, in a directory that others may be able to write to as well. So what is
// there is looked at before it is connected to, and it is that very file which is connected to, not
// whatever has the name by then:
//
//   - It is a socket itself: a symbolic link could lead to the socket of another VM or service.
//   - It belongs to `socket_owner` and `socket_group` where these are set. With neither these nor a
//     list of peers allowed, it belongs to root, to the switch's user, or to the owner of its
//     directory, who decides anyway what is in there.
//   - Whoever listens (SO_PEERCRED: the process that called listen(2)) stands in allow_uid or
//     allow_gid where there are such lists.
//
// Nothing here blocks: a connect(2) for which the VMM's backlog has no room fails at once.
//
// Threads: any. Errors: Unreachable, with path, cause and, where something can be done, the remedy.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include "vhost/door/disposer.h"
#include "vhost/door/waiting_place.h"
#include "vhost/socket_access.h"

namespace vhost::door {

class Unreachable : public std::runtime_error {
 public:
  Unreachable(const std::string& why, bool refused) : std::runtime_error(why), refused_(refused) {}

  // There is something, and it may not be trusted.
  bool refused() const noexcept { return refused_; }

 private:
  bool refused_;
};

// Connects to the VMM that listens at `path`; its descriptor does not block. `disposer` hangs up on
// one that may not be trusted after all.
Visitor connect_to_vmm(const std::filesystem::path& path, const SocketAccess& access,
                       Disposer& disposer);

}  // namespace vhost::door
