// Users and groups of the host, and what this process may do with them.
//
// Threads: main thread only (getpwnam(3) is not reentrant). Errors: ConfigError by way of
// Value::fail.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "control/value.h"

namespace control {

uid_t resolve_user(const NameOrNumber& user, const Value& value);
gid_t resolve_group(const NameOrNumber& group, const Value& value);

// As whom the switch will run, which decides what owners and groups it may give to a socket
// (chown(2)): any with CAP_CHOWN, else itself and the groups it is in.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool may_chown = false;
  // Root that is about to become another user: it takes the groups its sockets need along
  // (privileges.h), so that every group may be had.
  bool may_join_groups = false;

  bool may_own(uid_t owner) const;
  bool may_group(gid_t group) const;
};

Identity current_identity();

// What root becomes when it drops to `user`. `origin` is the setting that names the user.
Identity identity_of(const std::string& user, const std::string& origin);

}  // namespace control
