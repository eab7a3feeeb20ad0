#include "vhost/door/vmm_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "vhost/door/entrance.h"
#include "vhost/door/socket_file.h"

namespace vhost::door {
namespace {

namespace fs = std::filesystem;

// One attempt; each step throws Unreachable.
class Attempt {
 public:
  Attempt(const fs::path& path, const SocketAccess& access, Disposer& disposer)
      : path_(path), access_(access), disposer_(disposer) {}

  Visitor make() const {
    const fs::path parent = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    const UniqueFd directory(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) fail(errno);
    const UniqueFd file(
        ::openat(directory.get(), path_.filename().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file) fail(errno);
    check_file(file.get(), directory.get());
    Visitor visitor{connect(file.get()), {}};
    visitor.peer = credentials_of(visitor.fd.get());
    if (access_.admits(visitor.peer.uid, visitor.peer.gid)) return visitor;
    disposer_.hang_up(std::move(visitor.fd));
    refuse(describe(visitor.peer) + " listens: " + kNotAllowed);
  }

 private:
  [[noreturn]] void fail(int error) const {
    throw Unreachable("socket " + path_.string() + ": " + cause(error), false);
  }
  [[noreturn]] void refuse(const std::string& why) const {
    throw Unreachable("socket " + path_.string() + " is not connected to: " + why, true);
  }

  static std::string cause(int error) {
    switch (error) {
      case ENOENT:
        return "there is none yet";
      case ECONNREFUSED:
        return "nobody listens";
      case EAGAIN:
        return "its VMM does not accept, the queue of its socket is full";
      case EACCES:
        return "no permission; let the switch's user reach it and write to it";
      default:
        return std::generic_category().message(error);
    }
  }

  // What the file system knows without asking anybody: one in user space may never answer.
  struct statx facts_of(int fd) const {
    struct statx facts {};
    constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
    if (::statx(fd, "", kFlags, STATX_TYPE | STATX_UID | STATX_GID, &facts) != 0) fail(errno);
    return facts;
  }

  void check_file(int file, int directory) const {
    const struct statx facts = facts_of(file);
    if (S_ISLNK(facts.stx_mode)) refuse("it is a symbolic link, which could lead anywhere");
    if (!S_ISSOCK(facts.stx_mode)) refuse("it is not a socket; remove it");
    if (access_.owner && facts.stx_uid != *access_.owner) {
      refuse(belongs_to("user", facts.stx_uid) + ", not to socket_owner");
    }
    if (access_.group && facts.stx_gid != *access_.group) {
      refuse(belongs_to("group", facts.stx_gid) + ", not to socket_group");
    }
    if (access_.owner || access_.group || access_.lists_peers()) return;
    const uid_t user = facts.stx_uid;
    if (user == 0 || user == ::geteuid() || user == facts_of(directory).stx_uid) return;
    refuse(belongs_to("user", user) +
           ", who is neither root, nor the switch's user, nor the owner of its directory; name "
           "that user in socket_owner or allow_uid if it may");
  }

  static std::string belongs_to(const char* whom, uint32_t id) {
    return std::string("it belongs to ") + whom + " " + std::to_string(id);
  }

  UniqueFd connect(int file) const {
    try {
      return connect_unix("/proc/self/fd/" + std::to_string(file));
    } catch (const std::system_error& error) {
      fail(error.code().value());
    }
  }

  const fs::path& path_;
  const SocketAccess& access_;
  Disposer& disposer_;
};

}  // namespace

Visitor connect_to_vmm(const fs::path& path, const SocketAccess& access, Disposer& disposer) {
  try {
    return Attempt(path, access, disposer).make();
  } catch (const std::system_error& error) {
    throw Unreachable("socket " + path.string() + ": " + error.what(), false);
  }
}

}  // namespace vhost::door
