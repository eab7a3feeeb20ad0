// The policies of a port, by name. A new policy is one header beside this one, its settings in
// PortRules, and one row here.
//
// Two kinds are foreseen. A reach policy is asked once for each pair of ports when a topology is
// built and costs a frame nothing. A frame policy is asked for each frame, with the frame's head;
// there is none yet.
//
// Threads: constants.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "policy/isolation.h"
#include "policy/port_rules.h"

namespace policy {

struct ReachPolicy {
  std::string_view name;
  bool (*allows)(const PortRules& from, const PortRules& to);
};

inline constexpr std::array kReachPolicies = {
    ReachPolicy{"isolated", isolation_allows},
};

constexpr bool may_reach(const PortRules& from, const PortRules& to) {
  return std::all_of(kReachPolicies.begin(), kReachPolicies.end(),
                     [&](const ReachPolicy& policy) { return policy.allows(from, to); });
}

}  // namespace policy
