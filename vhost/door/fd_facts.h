// What a file descriptor of a VMM is, found out without asking a file system that the VMM may own.
//
// Theory of operation. A descriptor in a message may be anything: a pipe that puts a writer to
// sleep, a file on a file system in user space that never answers stat(2). So nothing is asked
// that such a file system would have to answer:
//  - an eventfd is known by the kernel's own name for it in /proc/self/fd, which no path can have
//    because every path starts with a slash;
//  - tmpfs and hugetlbfs (memfd_create(2), /dev/shm, huge page mounts) are known by F_GET_SEALS,
//    which the kernel answers for these two alone (fcntl(2)); only then fstat(2) is called.
//
// Threads: pure functions.
#pragma once

#include <cstdint>

namespace vhost::door {

struct FdFacts {
  enum class Kind : uint8_t { other, eventfd, memory };
  Kind kind = Kind::other;
  uint64_t size = 0;        // of a memory file, bytes
  bool read_only = false;   // a memory file that cannot be mapped for writing: opened so, or sealed
  bool huge_pages = false;  // a memory file on hugetlbfs
};

FdFacts inspect_fd(int fd);

}  // namespace vhost::door
