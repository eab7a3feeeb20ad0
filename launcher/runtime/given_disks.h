// Disks that were given to a VM's user for as long as the VM is up, and whose they were before.
//
// That stands in a file, which outlives the launcher and the host's next start: the launcher after
// one that was killed gives the disks back. A disk that is somebody else's by then, or another file
// at that path, is left alone.
//
// Threads: the event loop's. Errors: LaunchError.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "process/child_process.h"

namespace launcher {

// Where the record of a VM's disks is.
std::filesystem::path disk_record(const std::filesystem::path& topology, const std::string& vm);

// VMs of that topology which have one, be they in the file still or not.
std::vector<std::string> vms_with_a_disk_record(const std::filesystem::path& topology);

class GivenDisks {
 public:
  explicit GivenDisks(std::filesystem::path record);

  // Owner and mode 0600.
  void give(const std::filesystem::path& disk, const Credentials& user);
  // Those that went back.
  std::vector<std::filesystem::path> give_back_all() noexcept;

 private:
  struct Before {
    ino_t inode;
    uid_t owner;
    gid_t group;
    mode_t mode;
    uid_t given_to;
  };

  static bool give_back(const std::string& disk, const Before& before);
  void save() const;

  std::filesystem::path record_;
  std::map<std::string, Before> given_;
};

}  // namespace launcher
