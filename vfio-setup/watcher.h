// The process that gives a device back when nobody confirms in time.
//
// A remote operator may lose the very connection that bind was typed on, so the watcher is in a
// session of its own with no terminal, outside the cgroup of the login session (whose end may
// kill everything in it), and started before the first step of the binding. It is two processes:
// one waits, the other starts it again should it be killed. The deadline is in the state file and
// not in their memory; confirm clears it there, and they end when it is gone.
#pragma once

#include <string>

#include "paths.h"

namespace vfio_setup {

// Runs this program's hidden `watch` command, detached. Throws when it could not be started.
void start_watcher(const std::string& address, const std::string& token);

// The `watch` command. Returns when there is nothing to wait for any more.
int run_watcher(const Paths& paths, const std::string& address, const std::string& token);

}  // namespace vfio_setup
