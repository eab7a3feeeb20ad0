#include "runtime/vm_locks.h"

#include <unistd.h>

#include <cstdio>

#include "runtime/state_directory.h"
#include "topology/identity.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;

// The path itself may be longer than a file's name.
std::string number_of(const std::string& text) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016lx", static_cast<unsigned long>(stable_hash(text)));
  return digits;
}

std::string real_path(const fs::path& topology) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(topology, error);
  return (error ? topology : path).string();
}

}  // namespace

std::string vm_key(const fs::path& topology, const std::string& vm) {
  return number_of(real_path(topology)) + "." + vm;
}

VmLocks::VmLocks(const fs::path& topology, const std::vector<std::string>& vms,
                 const fs::path& state) {
  const fs::path directory = lock_directory();
  const std::string holder = "launcher with process id " + std::to_string(getpid()) +
                             " (state directory " + state.string() + ")";
  for (const std::string& vm : vms) {
    locks_.emplace_back(directory / vm_key(topology, vm), holder,
                        "VM " + vm + " of " + real_path(topology),
                        "end that one first, with launcher down --state-dir DIRECTORY or as a "
                        "service");
  }
}

}  // namespace launcher
