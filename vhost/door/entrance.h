// Where a port's VMMs come from: a Listener, on whose socket they connect (mode "server"), or a
// Connector, which connects to theirs (mode "client").
//
// Whoever has come is handed to the door, and from there on all are treated alike. Threads: the
// io_context's. Nothing is called back from within a constructor or open().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vhost/door/waiting_place.h"

namespace vhost::door {

// The door, as an entrance sees it.
struct EntranceHost {
  // Serves the VMM, or lets it wait for its turn; false: it was turned away.
  std::function<bool(Visitor)> admit;
  std::function<void(Visitor, const std::string& why)> turn_away;
  // What earlier VMMs have left behind will not close: nobody is to be let in now.
  std::function<bool()> stuck;
  // No VMM can be connected to, for another reason than when last told; `refused`: because what is
  // there may not be trusted.
  std::function<void(const std::string& why, bool refused)> unreachable;
};

class Entrance {
 public:
  Entrance() = default;
  virtual ~Entrance() = default;
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  virtual void open() = 0;
  // Nobody is served any more, and nobody waits.
  virtual void vacant() {}
};

// A handler of an asynchronous operation that does nothing once `self` is gone or the operation
// was cancelled.
template <typename Self, typename Step>
auto while_alive(std::weak_ptr<Self> self, Step step) {
  return [self = std::move(self), step](const auto& error) {
    const auto alive = self.lock();
    if (alive && !error) step(*alive);
  };
}

inline constexpr const char* kNotAllowed =
    "neither its user nor its group is in allow_uid or allow_gid";

}  // namespace vhost::door
