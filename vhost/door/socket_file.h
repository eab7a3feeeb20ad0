// The public socket of a port as a file: created, owned, taken over, removed.
//
// Theory of operation. A VMM that finds no socket, or one nobody listens on, tries again; one that
// finds a socket it may not open gives up. So the socket is bound under a hidden name beside its
// place, given its mode and owner there, made to listen, and only then renamed into place: under
// its public name it is absent or right, never in between. The umask plays no part (it belongs to
// the whole process).
//
// A path that exists is taken over only when it is a socket and a connect() to it is refused:
// then its owner is gone. The rename never replaces (RENAME_NOREPLACE), so of two that start at
// once one gets a clear error and neither loses its socket.
//
// Threads: one. Errors: SocketError with path, cause and remedy.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "vhost/socket_access.h"
#include "vhost/unique_fd.h"

namespace vhost::door {

// The public socket cannot be had: path, cause and remedy in what().
class SocketError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Bytes of a path that fit a unix socket's address (unix(7)), its final zero not counted.
inline constexpr std::size_t kMaxSocketPath = 107;

class SocketFile {
 public:
  // Listens at `path`. Whose socket it is, callers add to what is thrown.
  SocketFile(const std::filesystem::path& path, const SocketAccess& access, int backlog);
  ~SocketFile();  // unlinks the path if it is still ours, then closes
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  int fd() const { return fd_.get(); }  // listening, non-blocking

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// Connects to a listening socket without blocking. Throws std::system_error.
UniqueFd connect_unix(const std::filesystem::path& path);

}  // namespace vhost::door
