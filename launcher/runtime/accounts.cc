#include "runtime/accounts.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher {
namespace {

// On that very socket, whatever its name leads to now.
bool nobody_listens(int file) {
  const FileDescriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file);
  return client &&
         connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

bool may_access(const std::optional<Credentials>& user, const std::filesystem::path& path,
                int mode) {
  if (!user) return access(path.c_str(), mode) == 0;
  const pid_t pid = fork();
  if (pid < 0) throw LaunchError(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    const bool became = setgroups(user->groups.size(), user->groups.data()) == 0 &&
                        setresgid(user->gid, user->gid, user->gid) == 0 &&
                        setresuid(user->uid, user->uid, user->uid) == 0;
    _exit(became && access(path.c_str(), mode) == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void give_socket(const std::filesystem::path& path, uid_t maker, const Credentials& user) {
  const FileDescriptor file(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) {
    throw LaunchError(path.string() + ": " + std::strerror(errno));
  }
  if (!S_ISSOCK(facts.st_mode) || facts.st_nlink != 1) {
    throw LaunchError(path.string() + ": is not the socket that the switch made");
  }
  if (facts.st_uid != maker && facts.st_uid != user.uid) {
    throw LaunchError(path.string() + ": belongs to user " + std::to_string(facts.st_uid) +
                      ", so it is not the socket that the switch, user " + std::to_string(maker) +
                      ", made");
  }
  const std::string handle = "/proc/self/fd/" + std::to_string(file.get());
  if (chmod(handle.c_str(), 0600) != 0 ||
      fchownat(file.get(), "", user.uid, user.gid, AT_EMPTY_PATH) != 0) {
    throw LaunchError(path.string() + ": cannot be given to user " + std::to_string(user.uid) +
                      ": " + std::strerror(errno));
  }
}

void remove_stale_socket(const std::filesystem::path& path, uid_t maker, const Credentials& user) {
  const FileDescriptor directory(
      open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return;
  const std::string name = path.filename().string();
  const FileDescriptor file(openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) return;
  if (facts.st_uid != maker && facts.st_uid != user.uid) return;
  if (nobody_listens(file.get())) unlinkat(directory.get(), name.c_str(), 0);
}

}  // namespace launcher
