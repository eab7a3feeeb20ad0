// Processes that hold a passed device open. The kernel waits for them before it lets a function
// go from vfio-pci, so they are looked for first.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

struct Holder {
  pid_t pid;
  std::string command;
  uid_t user;
};

// By the device number of what each process has open: /dev/vfio/GROUP, or the function's own
// character device of newer kernels.
std::vector<Holder> find_holders(const Paths& paths, const std::vector<std::string>& addresses);

// SIGTERM, and SIGKILL for those still there after `grace`. Throws if even that does not help.
void end_holders(const Paths& paths, const std::vector<std::string>& addresses,
                 std::chrono::seconds grace);

// /dev/vfio/GROUP and /dev/vfio/devices/vfioN of these functions, as far as they exist.
std::vector<std::filesystem::path> vfio_nodes(const Paths& paths,
                                              const std::vector<std::string>& addresses);

}  // namespace vfio_setup
