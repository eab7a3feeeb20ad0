// `launcher check`, and the warnings that it shares with `up`: what the host lacks for a topology.
//
// Errors: TopologyError, LaunchError.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "cli/options.h"
#include "topology/topology.h"

namespace launcher {

int check_command(const Options& options);

std::vector<std::string> warnings(const Topology& topology);
void print_warnings(const Topology& topology, std::ostream& out);

// A unix socket's path has at most 107 bytes (unix(7)).
void check_socket_paths(const Topology& topology, const std::filesystem::path& directory);

}  // namespace launcher
