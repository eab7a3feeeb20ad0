#include "runtime/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace launcher {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

[[noreturn]] void fail(const fs::path& path) {
  throw LaunchError(path.string() + ": " + std::strerror(errno));
}

void make(const fs::path& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail(path);
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) fail(path);
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != geteuid()) {
    throw LaunchError(path.string() + ": is not a directory of this user; remove it");
  }
  if (chmod(path.c_str(), mode) != 0) fail(path);  // whatever the umask says
}

bool same_file(int fd, const fs::path& path) {
  struct stat open_one {
  }, named{};
  return fstat(fd, &open_one) == 0 && stat(path.c_str(), &named) == 0 &&
         open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

std::string holder(int fd) {
  char text[512];
  const ssize_t length = pread(fd, text, sizeof text, 0);
  return length > 0 ? std::string(text, static_cast<size_t>(length)) : "another launcher";
}

}  // namespace

fs::path launcher_directory() {
  if (geteuid() == 0) return "/run/launcher";
  const std::string user = environment("XDG_RUNTIME_DIR");
  if (user.empty()) {
    throw LaunchError(
        "XDG_RUNTIME_DIR is not set, so there is no default place for a running "
        "topology; set it, or name one with --state-dir");
  }
  return fs::path(user) / "launcher";
}

fs::path record_directory() {
  if (geteuid() == 0) return "/var/lib/launcher";
  const std::string state = environment("XDG_STATE_HOME");
  if (!state.empty()) return fs::path(state) / "launcher";
  return fs::path(environment("HOME")) / ".local/state/launcher";
}

StateDirectory::StateDirectory(fs::path path, const std::string& topology_file)
    : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  make(path_, kPassThrough);
  take_lock(topology_file);
  clear(true);
  for (const char* name : {"vm", "switch"}) make(path_ / name, kPassThrough);
  for (const char* name : {"console", "log"}) make(path_ / name, 0700);
}

StateDirectory::~StateDirectory() {
  clear(!keeps_logs_);
  std::error_code error;
  fs::remove(path_ / "lock", error);
  fs::remove(path_, error);  // not when logs are kept, or devices could not be given back
}

void StateDirectory::take_lock(const std::string& topology_file) {
  const fs::path path = path_ / "lock";
  // One that goes removes its lock: what we opened may not be what the next one opens.
  do {
    lock_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_) fail(path);
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      throw OwnedError(path_.string() + ": this topology is run by " + holder(lock_.get()) +
                       "; use launcher start, stop and down, or end that one first");
    }
  } while (!same_file(lock_.get(), path));
  const std::string text =
      "launcher with process id " + std::to_string(getpid()) + " (" + topology_file + ")";
  if (ftruncate(lock_.get(), 0) != 0 || pwrite(lock_.get(), text.data(), text.size(), 0) < 0) {
    fail(path);
  }
}

void StateDirectory::clear(bool all) const {
  std::error_code error;
  for (const char* name : {"vm", "switch", "console", "control.sock"}) {
    fs::remove_all(path_ / name, error);
  }
  if (all) fs::remove_all(path_ / "log", error);
}

void StateDirectory::make_private(const fs::path& path, mode_t mode,
                                  const std::optional<Credentials>& owner) {
  std::error_code error;
  fs::remove_all(path, error);
  if (mkdir(path.c_str(), 0700) != 0) fail(path);
  if (owner && chown(path.c_str(), owner->uid, owner->gid) != 0) fail(path);
  if (chmod(path.c_str(), mode) != 0) fail(path);
}

}  // namespace launcher
