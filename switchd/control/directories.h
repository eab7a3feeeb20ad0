// The directories a switch needs, made before it drops privileges.
//
// Our own default directories (client/default_paths.h) are made with their parents and handed to
// the user the switch will run as. Directories that the operator chose are made when only they are
// missing, and left as they are when they exist.
//
// Threads: main thread. Errors: ConfigError.
#pragma once

#include "control/accounts.h"
#include "control/configuration.h"

namespace control {

void prepare_directories(const Configuration& configuration, const Identity& identity);

}  // namespace control
