// As whom a program runs.
#pragma once

#include <sys/types.h>

#include <compare>
#include <vector>

namespace launcher {

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  auto operator<=>(const Credentials&) const = default;
};

}  // namespace launcher
