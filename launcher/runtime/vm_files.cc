#include "runtime/vm_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "process/error.h"
#include "process/file_descriptor.h"
#include "runtime/accounts.h"
#include "runtime/router_file.h"

namespace launcher {

namespace fs = std::filesystem;

namespace {

bool write_all(int file, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = write(file, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// The bytes copied; nothing after a failure.
std::optional<uint64_t> copy_all(int from, int to) {
  uint64_t sum = 0;
  std::array<char, 1 << 16> part;
  while (true) {
    const ssize_t length = read(from, part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 || !write_all(to, part.data(), static_cast<size_t>(length))) return std::nullopt;
    if (length == 0) return sum;
    sum += static_cast<uint64_t>(length);
  }
}

// An archive begins at a multiple of four (init/initramfs.c); zeros between them are skipped.
bool write_archives(int first, int to, const std::string& second) {
  const std::optional<uint64_t> size = copy_all(first, to);
  if (!size) return false;
  const std::string padding((4 - *size % 4) % 4, '\0');
  return write_all(to, padding.data(), padding.size()) &&
         write_all(to, second.data(), second.size());
}

}  // namespace

VmFiles::VmFiles(const Topology& topology, const VmConfig& vm, fs::path directory,
                 std::optional<Credentials> user)
    : VmFiles(topology, vm, std::move(directory), std::move(user),
              disk_record(topology.file, vm.name)) {}

VmFiles::VmFiles(const Topology& topology, const VmConfig& vm, fs::path directory,
                 std::optional<Credentials> user, fs::path disk_record)
    : topology_(topology),
      vm_(vm),
      directory_(std::move(directory)),
      user_(std::move(user)),
      given_(std::move(disk_record)) {}

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
  const FileDescriptor input(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!input) throw LaunchError(path.string() + ": cannot be read");
  // The directory is the user's, who may put a link at that name at any time: from here on the
  // descriptor alone counts.
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const FileDescriptor output(open(target.c_str(), flags, 0600));
  if (!output) throw LaunchError(target.string() + ": " + std::strerror(errno));
  if (!write_archives(input.get(), output.get(), more)) {
    throw LaunchError(target.string() + ": cannot be written (" + std::strerror(errno) +
                      "); is the disk full?");
  }
  if ((user_ && fchown(output.get(), user_->uid, user_->gid) != 0) ||
      fchmod(output.get(), 0400) != 0) {
    throw LaunchError(target.string() + ": " + std::strerror(errno));
  }
  return target;
}

void VmFiles::give_disk(const DiskConfig& disk) {
  if (disk.readonly) {
    if (may_access(user_, disk.path, R_OK)) return;
    throw LaunchError(disk.path.string() + ": user " +
                      std::to_string(user_ ? user_->uid : getuid()) + " of VM " + vm_.name +
                      " cannot read it; open it to others, chmod a+r");
  }
  if (!fs::exists(disk.path)) throw LaunchError(disk.path.string() + ": is not there");
  if (user_) given_.give(disk.path, *user_);
  if (may_access(user_, disk.path, R_OK | W_OK)) return;
  throw LaunchError(disk.path.string() + ": user " + std::to_string(user_ ? user_->uid : getuid()) +
                    " of VM " + vm_.name + " cannot reach it; open the directories above it");
}

void VmFiles::give_back() noexcept {
  given_.give_back_all();
}

}  // namespace launcher
