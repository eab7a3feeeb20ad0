// As whom VMs run: each under a user of its own, allocated once from the range and remembered by
// name, so that a VM finds its files again. Not root: everything runs as the launcher's own user.
//
// Theory of operation. Users of the range need no entry in /etc/passwd; a number that has one is
// left out. The record is shared by all launchers of the host and locked while it is changed.
//
// Threads: main thread (getpwnam(3)). Errors: LaunchError.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "process/child_process.h"

namespace launcher {

class Users {
 public:
  Users(std::filesystem::path record, uid_t first, uid_t last);

  // `owner` is "TOPOLOGY/VM"; `configured` a user's name or number, or empty. Nothing: this process
  // is not root and cannot become anybody.
  std::optional<Credentials> user_of(const std::string& owner, const std::string& configured);

 private:
  uid_t allocate(const std::string& owner);

  std::filesystem::path record_;
  uid_t first_;
  uid_t last_;
};

// The group that may open /dev/kvm, if there is one that matters.
std::optional<gid_t> kvm_group();

}  // namespace launcher
