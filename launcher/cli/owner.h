// `launcher up` and `launcher run`: the process that owns a topology.
//
// Errors: TopologyError, LaunchError.
#pragma once

#include <functional>

#include "cli/options.h"
#include "vmm/vmm.h"

namespace launcher {

using FindDriver = std::function<const VmmDriver&(VmmKind)>;

// The exit status. A test gives a VMM of its own.
int up_command(const Options& options, const FindDriver& find_driver);
int run_command(const Options& options, const FindDriver& find_driver);

}  // namespace launcher
