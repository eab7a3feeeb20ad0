#include "vhost/door/waiting_place.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace vhost::door {

PeerCredentials credentials_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "SO_PEERCRED");
  }
  return {peer.pid, peer.uid, peer.gid};
}

std::string describe(const PeerCredentials& peer) {
  return "pid " + std::to_string(peer.pid) + " (uid " + std::to_string(peer.uid) + ", gid " +
         std::to_string(peer.gid) + ")";
}

bool Visitor::gone() const {
  pollfd wanted{fd.get(), POLLRDHUP, 0};
  return ::poll(&wanted, 1, 0) == 1;
}

bool WaitingPlace::offer(Visitor& visitor, std::function<void()> expired) {
  if (visitor_ && !visitor_->gone()) return false;
  if (visitor_) disposer_.hang_up(std::move(visitor_->fd));
  visitor_ = std::move(visitor);
  timer_.expires_after(timeout_);
  timer_.async_wait([expired = std::move(expired)](const boost::system::error_code& error) {
    if (!error) expired();
  });
  return true;
}

std::optional<Visitor> WaitingPlace::take() {
  timer_.cancel();
  std::optional<Visitor> visitor = std::exchange(visitor_, std::nullopt);
  if (!visitor || !visitor->gone()) return visitor;
  disposer_.hang_up(std::move(visitor->fd));
  return {};
}

}  // namespace vhost::door
