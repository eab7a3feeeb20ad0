// Who stands at the door: the VMM that waits its turn while another one is served.
//
// A VMM that reboots opens its new connection while the old one is still being taken down; it
// waits here for its turn, a few seconds at the most. There is one place: whoever comes third is
// not let in.
//
// Threads: the io_context's.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>

#include "vhost/door/disposer.h"
#include "vhost/unique_fd.h"

namespace vhost::door {

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Of whoever connected to a unix socket, or listens on it. Throws std::system_error.
PeerCredentials credentials_of(int socket);
std::string describe(const PeerCredentials& peer);  // "pid 12 (uid 1000, gid 1000)"

struct Visitor {
  UniqueFd fd;
  PeerCredentials peer;

  bool gone() const;  // has hung up
};

class WaitingPlace {
 public:
  using Duration = boost::asio::steady_timer::duration;

  WaitingPlace(boost::asio::io_context& loop, Duration timeout, Disposer& disposer)
      : timer_(loop), timeout_(timeout), disposer_(disposer) {}

  // False, and `visitor` stays with the caller, when the place is taken by one that is still
  // there. `expired` is called when the visitor has waited too long; it may call take().
  bool offer(Visitor& visitor, std::function<void()> expired);

  // The visitor, unless there is none or it has hung up. The place is free afterwards.
  std::optional<Visitor> take();

 private:
  boost::asio::steady_timer timer_;
  Duration timeout_;
  Disposer& disposer_;  // for those that have hung up
  std::optional<Visitor> visitor_;
};

}  // namespace vhost::door
