// A VM's files as its user: kernel and initramfs it can read, disks that are its own.
//
// Kernel and initramfs that the user cannot reach are copied into the VM's directory. A disk that
// it cannot write is given to it, with mode 0600, for as long as the VM is up. The router's
// initramfs is always a copy, with what the router is told behind it.
//
// Threads: main thread. Errors: LaunchError.
#pragma once

#include <filesystem>
#include <optional>

#include "process/child_process.h"
#include "runtime/given_disks.h"
#include "topology/topology.h"
#include "vmm/vmm.h"

namespace launcher {

class VmFiles {
 public:
  VmFiles(const Topology& topology, const VmConfig& vm, std::filesystem::path directory,
          std::optional<Credentials> user);
  VmFiles(const Topology& topology, const VmConfig& vm, std::filesystem::path directory,
          std::optional<Credentials> user, std::filesystem::path disk_record);

  // Sets kernel, initramfs and disks.
  void prepare(VmSpec& spec);
  // Disks go back to whom they belonged to.
  void give_back() noexcept;

 private:
  std::filesystem::path readable(const std::filesystem::path& path, const char* name);
  std::filesystem::path copy(const std::filesystem::path& path, const char* name,
                             const std::string& more);
  void give_disk(const DiskConfig& disk);

  const Topology& topology_;
  const VmConfig& vm_;
  std::filesystem::path directory_;
  std::optional<Credentials> user_;
  GivenDisks given_;
};

}  // namespace launcher
