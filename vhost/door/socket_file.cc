#include "vhost/door/socket_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace vhost::door {
namespace {

namespace fs = std::filesystem;

std::string cause(int error) {
  return std::generic_category().message(error);
}

sockaddr_un unix_address(const std::string& path) {
  if (path.size() > kMaxSocketPath) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw std::system_error(errno, std::generic_category(), "socket");
  return fd;
}

// Removes a half-made socket unless it got into place.
class HiddenName {
 public:
  HiddenName(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}
  ~HiddenName() {
    if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
  }
  HiddenName(const HiddenName&) = delete;
  HiddenName& operator=(const HiddenName&) = delete;
  const char* c_str() const { return name_.c_str(); }
  const std::string& name() const { return name_; }
  void moved() { name_.clear(); }

 private:
  int directory_;
  std::string name_;
};

// Makes one listening socket; each step throws SocketError.
class SocketMaker {
 public:
  explicit SocketMaker(const fs::path& path) : path_(path) {
    check_length();
    open_directory();
  }

  UniqueFd make(const SocketAccess& access, int backlog, struct stat& identity) {
    clear_stale();
    UniqueFd fd = new_socket();
    HiddenName hidden(directory_.get(),
                      "." + std::to_string(::getpid()) + "." + std::to_string(fd.get()) + ".sock");
    bind_hidden(fd.get(), hidden.name());
    give_to(hidden.c_str(), access);
    if (::listen(fd.get(), backlog) != 0) fail("cannot listen: " + cause(errno));
    if (::fstatat(directory_.get(), hidden.c_str(), &identity, AT_SYMLINK_NOFOLLOW) != 0) {
      fail("cannot look at it: " + cause(errno));
    }
    move_into_place(hidden);
    return fd;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw SocketError("socket " + path_.string() + ": " + why);
  }

  void check_length() const {
    const std::size_t length = path_.native().size();
    if (length > kMaxSocketPath) {
      fail("a path of " + std::to_string(length) + " bytes, a unix socket has room for " +
           std::to_string(kMaxSocketPath) + "; choose a shorter one");
    }
    if (!path_.has_filename()) fail("no file name");
  }

  void open_directory() {
    const fs::path parent = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    directory_.reset(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory_) {
      fail("its directory cannot be opened: " + cause(errno) + "; create " + parent.string() +
           " or choose another path");
    }
  }

  std::string name() const { return path_.filename().string(); }

  // Removes a socket whose owner is gone; anything else at the path is an error. The file looked
  // at is held open meanwhile, so that no other one can get its number.
  void clear_stale() {
    const UniqueFd held(
        ::openat(directory_.get(), name().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held && errno == ENOENT) return;
    struct stat before {};
    if (!held || ::fstat(held.get(), &before) != 0) fail(cause(errno));
    if (!S_ISSOCK(before.st_mode)) {
      fail("exists and is not a socket; remove it or choose another path");
    }
    check_nobody_listens();
    struct stat now {};
    if (::fstatat(directory_.get(), name().c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (now.st_ino != before.st_ino || now.st_dev != before.st_dev) fail(in_use());
    if (::unlinkat(directory_.get(), name().c_str(), 0) != 0 && errno != ENOENT) {
      fail("left behind by a process that is gone, and cannot be removed: " + cause(errno) +
           "; remove it");
    }
  }

  void check_nobody_listens() const {
    try {
      connect_unix(path_);
    } catch (const std::system_error& error) {
      const int code = error.code().value();
      if (code == ECONNREFUSED || code == ENOENT) return;
      if (code != EAGAIN) fail("cannot tell whether it is in use: " + cause(code));
    }
    fail(in_use());
  }

  static std::string in_use() {
    return "in use by another process; stop that process or choose another path";
  }

  // Through the directory's descriptor when the hidden name would not fit the address.
  void bind_hidden(int fd, const std::string& hidden) const {
    std::string where = (path_.parent_path() / hidden).string();
    if (where.size() > kMaxSocketPath) {
      where = "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + hidden;
    }
    const sockaddr_un address = unix_address(where);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return;
    const int error = errno;
    fail("cannot be created: " + cause(error) +
         (error == EACCES ? "; let the switch's user write to its directory" : ""));
  }

  void give_to(const char* hidden, const SocketAccess& access) const {
    const uid_t uid = access.owner.value_or(static_cast<uid_t>(-1));
    const gid_t gid = access.group.value_or(static_cast<gid_t>(-1));
    if ((access.owner || access.group) &&
        ::fchownat(directory_.get(), hidden, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
      fail("cannot be given to" + (access.owner ? " user " + std::to_string(uid) : "") +
           (access.group ? " group " + std::to_string(gid) : "") + ": " + cause(errno) +
           "; run the switch as root or as a member of that group, or leave owner and group unset");
    }
    if (::fchmodat(directory_.get(), hidden, access.mode & 07777, 0) != 0) {
      fail("its mode cannot be set: " + cause(errno));
    }
  }

  // Never over another's. File systems that cannot promise that of a rename can of a link.
  void move_into_place(HiddenName& hidden) const {
    const int directory = directory_.get();
    if (::renameat2(directory, hidden.c_str(), directory, name().c_str(), RENAME_NOREPLACE) == 0) {
      hidden.moved();
      return;
    }
    int error = errno;
    if (error == EINVAL || error == ENOSYS) {
      if (::linkat(directory, hidden.c_str(), directory, name().c_str(), 0) == 0) return;
      error = errno;
    }
    fail(error == EEXIST ? in_use() : "cannot be moved into place: " + cause(error));
  }

  const fs::path& path_;
  UniqueFd directory_;
};

}  // namespace

SocketFile::SocketFile(const fs::path& path, const SocketAccess& access, int backlog)
    : path_(path) {
  struct stat identity {};
  try {
    fd_ = SocketMaker(path_).make(access, backlog, identity);
  } catch (const std::system_error& error) {
    throw SocketError("socket " + path.string() + ": " + error.what());
  }
  device_ = identity.st_dev;
  inode_ = identity.st_ino;
}

SocketFile::~SocketFile() {
  struct stat now {};
  if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

UniqueFd connect_unix(const fs::path& path) {
  const sockaddr_un address = unix_address(path.string());
  UniqueFd fd = new_socket();
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::system_error(errno, std::generic_category(), path.string());
  }
  return fd;
}

}  // namespace vhost::door
