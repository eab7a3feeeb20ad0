// The topology file: TOML (toml.io, 1.0). docs/topology.toml shows every key.
//
// Threads: main thread. Errors: TopologyError with file, line and key.
#pragma once

#include <string>
#include <string_view>

#include "topology/error.h"
#include "topology/topology.h"

namespace launcher {

// Read, checked as far as the file alone can be (topology_check.h has the rest), addresses given.
Topology read_topology_file(const std::filesystem::path& path);

// The same from text; `file` stands for it in messages, and its directory is where relative paths
// start.
Topology read_topology(std::string_view text, const std::filesystem::path& file);

}  // namespace launcher
