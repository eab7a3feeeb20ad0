#include "vmm/cloud_hypervisor/event_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "vmm/cloud_hypervisor/events.h"

namespace launcher::cloud_hypervisor {

namespace asio = boost::asio;

namespace {

VmmError cannot(const std::string& what, const std::filesystem::path& path) {
  return VmmError("cannot " + what + " the event pipe " + path.string() + ": " +
                  std::strerror(errno));
}

// Whoever owns the directory is the VM's user, who must be able to write. By the open descriptor:
// the name is in a directory of that user's.
void give_to_owner_of_directory(int fd, const std::filesystem::path& path) {
  struct stat directory {
  }, pipe{};
  if (::stat(path.parent_path().c_str(), &directory) != 0) throw cannot("place", path);
  if (::fstat(fd, &pipe) != 0 || !S_ISFIFO(pipe.st_mode)) {
    throw VmmError(path.string() + " is not the pipe that was made there");
  }
  if (pipe.st_uid == directory.st_uid) return;
  if (::fchown(fd, directory.st_uid, directory.st_gid) != 0) throw cannot("give away", path);
}

}  // namespace

void EventPipe::make(const std::filesystem::path& path) {
  ::unlink(path.c_str());
  if (::mkfifo(path.c_str(), 0600) != 0) throw cannot("make", path);
  // Open for writing too (a Linux extension, fifo(7)): else the end of the VMM would be the end of
  // the file, for ever readable.
  const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) throw cannot("open", path);
  pipe_.assign(fd);
  give_to_owner_of_directory(fd, path);
}

void EventPipe::start() {
  asio::co_spawn(pipe_.get_executor(), read(shared_from_this()), asio::detached);
}

void EventPipe::stop() {
  handler_ = nullptr;
  boost::system::error_code ignored;
  pipe_.close(ignored);
}

asio::awaitable<void> EventPipe::read(std::shared_ptr<EventPipe> self) {
  JsonStream stream = event_stream();
  std::array<char, 4096> bytes;
  boost::system::error_code error;
  while (self->pipe_.is_open()) {
    const asio::mutable_buffer buffer = asio::buffer(bytes);
    const size_t count = co_await self->pipe_.async_read_some(
        buffer, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    for (const nlohmann::json& event : stream.feed({bytes.data(), count})) {
      if (self->handler_) self->handler_(to_event(event));
    }
  }
}

}  // namespace launcher::cloud_hypervisor
