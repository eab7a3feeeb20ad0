// What the operator lets a port do. Every policy's settings stand here, one member each.
//
// Threads: a plain value, copied into each topology snapshot.
#pragma once

#include <cstdint>

namespace policy {

inline constexpr uint32_t kDefaultMacLimit = 1024;

struct PortRules {
  bool isolated = false;                  // reaches only ports that are not isolated
  uint32_t mac_limit = kDefaultMacLimit;  // learned addresses; 0: the port learns none

  bool operator==(const PortRules&) const = default;
};

}  // namespace policy
