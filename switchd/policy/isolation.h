// Isolated ports: clients reach the router, not each other.
//
// Decided when a topology is built, for each pair of ports; a frame pays nothing for it.
#pragma once

#include "policy/port_rules.h"

namespace policy {

// An isolated port reaches, and is reached by, only ports that are not.
constexpr bool isolation_allows(const PortRules& from, const PortRules& to) {
  return !(from.isolated && to.isolated);
}

}  // namespace policy
