// The tables [defaults] and [[vm]] of the topology file.
//
// Errors: TopologyError with file, line and key.
#pragma once

#include "topology/toml_table.h"
#include "topology/topology.h"

namespace launcher {

// Every key of a VM that makes sense for several: all but name, net, depends and router.
void read_vm_settings(TomlTable& table, VmConfig& vm);

// A whole [[vm]]; `defaults` are what [defaults] says.
VmConfig read_vm(TomlTable& table, const VmConfig& defaults);

}  // namespace launcher
