#include "vhost/door/fd_facts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace vhost::door {
namespace {

bool is_eventfd(int fd) {
  constexpr std::string_view kName = "anon_inode:[eventfd]";
  char target[64];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof(target));
  return length > 0 && std::string_view(target, static_cast<std::size_t>(length)) == kName;
}

bool is_read_only(int fd, int seals) {
  constexpr int kAgainstWriting = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
  return (seals & kAgainstWriting) != 0 || (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR;
}

bool on_hugetlbfs(int fd) {
  struct statfs system {};
  return ::fstatfs(fd, &system) == 0 && system.f_type == HUGETLBFS_MAGIC;
}

}  // namespace

FdFacts inspect_fd(int fd) {
  if (is_eventfd(fd)) return {FdFacts::Kind::eventfd};
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return {};
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return {FdFacts::Kind::memory, static_cast<uint64_t>(status.st_size), is_read_only(fd, seals),
          on_hugetlbfs(fd)};
}

}  // namespace vhost::door
