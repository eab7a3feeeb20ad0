// The owner of a file descriptor is the one of perf/frontend; this is its name here.
#pragma once

#include "frontend/file_descriptor.h"

namespace launcher {

using frontend::FileDescriptor;

}  // namespace launcher
