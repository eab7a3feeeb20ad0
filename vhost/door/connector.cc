#include "vhost/door/connector.h"

#include <algorithm>
#include <utility>

#include "vhost/door/vmm_socket.h"

namespace vhost::door {

Connector::Connector(boost::asio::io_context& loop, std::filesystem::path socket,
                     SocketAccess access, const DoorLimits& limits, Disposer& disposer,
                     EntranceHost host)
    : socket_(std::move(socket)),
      access_(std::move(access)),
      limits_(limits),
      disposer_(disposer),
      host_(std::move(host)),
      timer_(loop),
      admissions_(limits.admissions_per_second),
      pause_(limits.connect_first) {}

void Connector::attempt_at(Clock::time_point when) {
  timer_.expires_at(when);
  timer_.async_wait(while_alive(weak_from_this(), [](Connector& self) { self.attempt(); }));
}

void Connector::vacant() {
  pause_ = limits_.connect_first;
  attempt_at(Clock::now() + pause_);
}

void Connector::attempt() {
  const auto now = Clock::now();
  if (admissions_.next() > now) return attempt_at(admissions_.next());
  if (host_.stuck()) return attempt_at(now + limits_.accept_pause);
  if (reach()) return;
  attempt_at(now + pause_);
  pause_ = std::min(2 * pause_, limits_.connect_most);
}

bool Connector::reach() {
  try {
    Visitor visitor = connect_to_vmm(socket_, access_, disposer_);
    admissions_.count(Clock::now());
    told_.clear();
    return host_.admit(std::move(visitor));
  } catch (const Unreachable& error) {
    if (std::exchange(told_, error.what()) != error.what()) {
      host_.unreachable(error.what(), error.refused());
    }
    return false;
  }
}

}  // namespace vhost::door
