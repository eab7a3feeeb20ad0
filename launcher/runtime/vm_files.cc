#include "runtime/vm_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <ostream>

#include "runtime/accounts.h"
#include "runtime/error.h"
#include "runtime/router_file.h"

namespace launcher {

namespace fs = std::filesystem;

VmFiles::VmFiles(const Topology& topology, const VmConfig& vm, fs::path directory,
                 std::optional<Credentials> user)
    : topology_(topology), vm_(vm), directory_(std::move(directory)), user_(std::move(user)) {}

void VmFiles::prepare(VmSpec& spec) {
  spec.kernel = readable(vm_.kernel, "kernel");
  if (vm_.router) {
    spec.initramfs = copy(vm_.initramfs, "initramfs", router_archive(topology_, vm_));
  } else if (!vm_.initramfs.empty()) {
    spec.initramfs = readable(vm_.initramfs, "initramfs");
  }
  for (const DiskConfig& disk : vm_.disks) give_disk(disk);
  spec.disks = vm_.disks;
}

fs::path VmFiles::readable(const fs::path& path, const char* name) {
  return may_access(user_, path, R_OK) ? path : copy(path, name, "");
}

fs::path VmFiles::copy(const fs::path& path, const char* name, const std::string& more) {
  const fs::path target = directory_ / name;
  std::ifstream input(path, std::ios::binary);
  if (!input) throw LaunchError(path.string() + ": cannot be read");
  const int file = open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
  if (file < 0) throw LaunchError(target.string() + ": " + std::strerror(errno));
  close(file);
  if (user_ && chown(target.c_str(), user_->uid, user_->gid) != 0) {
    throw LaunchError(target.string() + ": " + std::strerror(errno));
  }
  // Root writes what only the user may read; without root the mode has to wait.
  chmod(target.c_str(), 0600);
  std::ofstream output(target, std::ios::binary);
  // Nothing to insert counts as a failure of the stream.
  if (input.peek() != std::ifstream::traits_type::eof()) output << input.rdbuf();
  // An archive begins at a multiple of four (init/initramfs.c); zeros between them are skipped.
  while (output && output.tellp() % 4 != 0) output.put('\0');
  output << more;
  output.close();
  if (!output) throw LaunchError(target.string() + ": cannot be written; is the disk full?");
  chmod(target.c_str(), 0400);
  return target;
}

void VmFiles::give_disk(const DiskConfig& disk) {
  if (disk.readonly) {
    if (may_access(user_, disk.path, R_OK)) return;
    throw LaunchError(disk.path.string() + ": user " +
                      std::to_string(user_ ? user_->uid : getuid()) + " of VM " + vm_.name +
                      " cannot read it; open it to others, chmod a+r");
  }
  struct stat before {};
  if (stat(disk.path.c_str(), &before) != 0) {
    throw LaunchError(disk.path.string() + ": " + std::strerror(errno));
  }
  if (user_ && (before.st_uid != user_->uid || (before.st_mode & 077) != 0)) {
    if (chown(disk.path.c_str(), user_->uid, user_->gid) != 0 ||
        chmod(disk.path.c_str(), 0600) != 0) {
      throw LaunchError(disk.path.string() + ": " + std::strerror(errno));
    }
    given_.push_back({disk.path, before});
  }
  if (may_access(user_, disk.path, R_OK | W_OK)) return;
  throw LaunchError(disk.path.string() + ": user " + std::to_string(user_ ? user_->uid : getuid()) +
                    " of VM " + vm_.name + " cannot reach it; open the directories above it");
}

void VmFiles::give_back() noexcept {
  for (const GivenDisk& disk : given_) {
    [[maybe_unused]] const int owner =
        chown(disk.path.c_str(), disk.before.st_uid, disk.before.st_gid);
    chmod(disk.path.c_str(), disk.before.st_mode & 07777);
  }
  given_.clear();
}

}  // namespace launcher
