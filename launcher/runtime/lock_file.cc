#include "runtime/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace launcher {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path) {
  throw LaunchError(path.string() + ": " + std::strerror(errno));
}

bool same_file(int fd, const fs::path& path) {
  struct stat open_one {
  }, named{};
  return fstat(fd, &open_one) == 0 && stat(path.c_str(), &named) == 0 &&
         open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

std::string holder_of(int fd) {
  char text[512];
  const ssize_t length = pread(fd, text, sizeof text, 0);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "another launcher";
}

}  // namespace

LockFile::LockFile(fs::path path, const std::string& holder, const std::string& what,
                   const std::string& remedy)
    : path_(std::move(path)) {
  // One that goes removes its lock: what we opened may not be what the next one opens.
  do {
    file_ = FileDescriptor(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file_) fail(path_);
    if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      throw OwnedError(what + " is run by " + holder_of(file_.get()) + "; " + remedy);
    }
  } while (!same_file(file_.get(), path_));
  if (ftruncate(file_.get(), 0) != 0 || pwrite(file_.get(), holder.data(), holder.size(), 0) < 0) {
    fail(path_);
  }
}

LockFile::~LockFile() {
  unlink(path_.c_str());
}

}  // namespace launcher
