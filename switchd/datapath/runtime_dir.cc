#include "datapath/runtime_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "datapath/switch_api.h"

namespace datapath {
namespace {

constexpr mode_t kPrivate = 0700;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
  throw SwitchError("runtime directory " + path.string() + ": " + why);
}

void make(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), kPrivate) != 0 && errno != EEXIST) fail(path, std::strerror(errno));
  struct stat facts = {};
  if (lstat(path.c_str(), &facts) != 0) fail(path, std::strerror(errno));
  if (!S_ISDIR(facts.st_mode)) fail(path, "is not a directory; remove it");
  if (facts.st_uid != geteuid()) fail(path, "belongs to another user; remove it or choose another");
  if ((facts.st_mode & 077) != 0 && chmod(path.c_str(), kPrivate) != 0) {
    fail(path, "is open to others and cannot be closed to them");
  }
}

}  // namespace

RuntimeDir::RuntimeDir(const std::filesystem::path& path) : path_(path) {
  sockaddr_un address;
  if (socket_for(9999).string().size() >= sizeof(address.sun_path)) {
    fail(path, "is too long for the sockets in it; choose a shorter one");
  }
  make(path);
  lock_.reset(open((path / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_) fail(path, std::strerror(errno));
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    fail(path, "is in use by a running switchd; stop it, or give this one another control socket");
  }
  empty();
}

RuntimeDir::~RuntimeDir() {
  if (lock_) empty();
}

void RuntimeDir::empty() const noexcept {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (entry.is_socket(error)) std::filesystem::remove(entry.path(), error);
  }
}

std::filesystem::path RuntimeDir::socket_for(unsigned port) const {
  return path_ / ("port-" + std::to_string(port) + ".sock");
}

}  // namespace datapath
