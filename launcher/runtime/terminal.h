// A pseudo terminal: the guest's serial line ends in its slave, the launcher has its master.
//
// Errors: LaunchError.
#pragma once

#include "process/file_descriptor.h"

namespace launcher {

struct Terminal {
  FileDescriptor master;  // not blocking
  FileDescriptor slave;   // raw: what the guest says comes as it is

  static Terminal make();
};

}  // namespace launcher
