// The way back of one binding: persistent files first (they would take the function again as its
// driver is loaded), then each function's driver, then the interfaces, and at last the record.
// It may be interrupted anywhere and started again.
#pragma once

#include <string>
#include <vector>

#include "state_file.h"

namespace vfio_setup {

enum class WhenHeld { refuse, end_holders };

// REQUIRES: the caller holds the StateLock, and `address` names a binding in the state file.
// Returns warnings; throws when a function did not go back to its driver.
std::vector<std::string> restore_binding(const Paths& paths, const std::string& address,
                                         WhenHeld when_held);

}  // namespace vfio_setup
