// Who must be up before whom.
//
// Threads: pure. Errors: TopologyError for a name that is not there or a cycle.
#pragma once

#include <string>
#include <vector>

#include "topology/topology.h"

namespace launcher {

// `wanted` and what they depend on, each after what it depends on; all VMs when `wanted` is empty.
std::vector<std::string> start_order(const Topology& topology,
                                     const std::vector<std::string>& wanted);

// Those that depend on `vm`, directly or not, each before what it depends on.
std::vector<std::string> dependents(const Topology& topology, const std::string& vm);

}  // namespace launcher
