// What must hold in a topology as a whole.
//
// Threads: reads the file system (check_files). Errors: TopologyError with file, line and key.
#pragma once

#include "topology/topology.h"

namespace launcher {

// Names twice, segments and VMs that are named and not there, cycles, what the router is told.
void check_topology(const Topology& topology);

// Kernels, images and disks that are there. Not part of the above: a topology may be looked at on a
// machine that has none of them.
void check_files(const Topology& topology);

// "tcp/8022 -> app:22".
struct Forward {
  std::string protocol;
  unsigned port = 0;
  std::string vm;
  unsigned vm_port = 0;
};
Forward parse_forward(const std::string& text, const std::string& origin);

// "app -> db"
struct Between {
  std::string from;
  std::string to;
};
Between parse_between(const std::string& text, const std::string& origin);

}  // namespace launcher
