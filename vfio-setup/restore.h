// The way back of one binding: each function to its driver and its interfaces as they were, network
// first and each for itself; then the persistent files, and at last the record. Nothing that is
// only book-keeping keeps a function from going back. It may be interrupted anywhere and started
// again.
#pragma once

#include <string>
#include <vector>

#include "state_file.h"

namespace vfio_setup {

enum class WhenHeld { refuse, end_holders };

struct Restored {
  std::vector<std::string> failures;  // of functions that did not go back; those stay on record
  std::vector<std::string> warnings;
  bool is_written = true;  // the record and the persistent files could be
};

// REQUIRES: the caller holds the StateLock, and `address` names a binding in `state`.
// Throws when a process holds a function and is not, or cannot be, ended.
Restored restore_binding(const Paths& paths, State state, const std::string& address,
                         WhenHeld when_held);

}  // namespace vfio_setup
