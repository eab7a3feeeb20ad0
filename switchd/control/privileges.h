// What the process keeps of its privileges: nothing, once it serves anybody.
//
// Order of a start as root with --user: directories are made and handed over, then the user is
// changed for good, then the switch starts and makes its sockets as that user. So sockets of
// configured ports and of ports added later are made the same way, and a restart finds what it may
// replace. Giving a socket away to another owner is not possible then; every group that the
// configuration names for a socket is taken along as a supplementary group, so that group and mode
// let VMMs of other users in.
//
// Threads: before any other thread exists, since capabilities and the no-new-privileges bit belong
// to threads. Errors: std::system_error.
#pragma once

#include <sys/types.h>

#include <vector>

#include "control/accounts.h"
#include "control/configuration.h"

namespace control {

// No core dumps (they would hold guests' memory), as many descriptors as allowed, a private umask,
// no new privileges by exec.
void limit_process();

// The groups that sockets of this configuration are given to.
std::vector<gid_t> socket_groups(const Configuration& configuration);

// Becomes `identity` for good, with `extra_groups` besides its own, and drops all capabilities. A
// root that stays root keeps what it has: it was asked to.
void become(const Identity& identity, const std::vector<gid_t>& extra_groups);

}  // namespace control
