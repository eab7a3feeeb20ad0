// Which launcher runs which VM of a topology file: `up` all of them, `run` one, whatever their
// state directories are.
//
//   DIR/.locks/FILE.VM     DIR = launcher_directory(), FILE a number made from the file's path
//
// Threads: the event loop's. Errors: OwnedError names the VM, who runs it, and how to end that.
#pragma once

#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include "runtime/lock_file.h"

namespace launcher {

// A file's name for a VM of that topology: FILE.VM.
std::string vm_key(const std::filesystem::path& topology, const std::string& vm);

class VmLocks {
 public:
  // `state` is the launcher's own state directory, by which others find it.
  VmLocks(const std::filesystem::path& topology, const std::vector<std::string>& vms,
          const std::filesystem::path& state);

 private:
  std::list<LockFile> locks_;
};

}  // namespace launcher
