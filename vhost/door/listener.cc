#include "vhost/door/listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

namespace vhost::door {

using boost::asio::posix::stream_descriptor;

Listener::Listener(boost::asio::io_context& loop, const std::filesystem::path& socket,
                   const SocketAccess& access, const DoorLimits& limits, EntranceHost host)
    : access_(access),
      limits_(limits),
      host_(std::move(host)),
      file_(socket, access, limits.backlog),
      acceptor_(loop, file_.fd()),
      pause_(loop),
      admissions_(limits.admissions_per_second),
      refusals_(limits.refusals_per_second) {}

void Listener::await_vmm() {
  const auto when = std::max(admissions_.next(), refusals_.next());
  if (when > Clock::now()) return pause_until(when);
  acceptor_.async_wait(stream_descriptor::wait_read,
                       while_alive(weak_from_this(), [](Listener& self) { self.accept_one(); }));
}

void Listener::pause_until(Clock::time_point when) {
  pause_.expires_at(when);
  pause_.async_wait(while_alive(weak_from_this(), [](Listener& self) { self.await_vmm(); }));
}

void Listener::accept_one() {
  if (host_.stuck()) return pause_until(Clock::now() + limits_.accept_pause);
  UniqueFd fd(::accept4(file_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) {
    const bool nobody = errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
    return nobody ? await_vmm() : pause_until(Clock::now() + limits_.accept_pause);
  }
  try {
    const PeerCredentials peer = credentials_of(fd.get());
    greet({std::move(fd), peer});
  } catch (const std::exception& error) {
    host_.turn_away({}, error.what());
  }
  await_vmm();
}

void Listener::greet(Visitor visitor) {
  if (access_.admits(visitor.peer.uid, visitor.peer.gid)) {
    admissions_.count(Clock::now());
    host_.admit(std::move(visitor));
    return;
  }
  refusals_.count(Clock::now());
  host_.turn_away(std::move(visitor), kNotAllowed);
}

}  // namespace vhost::door
