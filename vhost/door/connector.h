// Goes to the VMM that listens on the port's socket, and again when it has gone.
//
// Attempts never end. Between two of them the connector waits, 10 ms after a VMM has gone and then
// twice as long each time, up to `connect_most`: a socket is found within that of its listen(2),
// which nothing announces, while a port whose VMM is not there costs a handful of system calls a
// second. One VMM at a time: there is no attempt while one is served. Those that accept and go at
// once are held to `admissions_per_second`.
//
// Threads: the io_context's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "vhost/door/disposer.h"
#include "vhost/door/entrance.h"
#include "vhost/door/limits.h"
#include "vhost/door/rate.h"
#include "vhost/socket_access.h"

namespace vhost::door {

class Connector : public Entrance, public std::enable_shared_from_this<Connector> {
 public:
  Connector(boost::asio::io_context& loop, std::filesystem::path socket, SocketAccess access,
            const DoorLimits& limits, Disposer& disposer, EntranceHost host);

  void open() override { attempt_at(Clock::now()); }
  void vacant() override;

 private:
  void attempt_at(Clock::time_point when);
  void attempt();
  bool reach();

  std::filesystem::path socket_;
  SocketAccess access_;
  DoorLimits limits_;
  Disposer& disposer_;
  EntranceHost host_;
  boost::asio::steady_timer timer_;
  SlidingWindow admissions_;
  DoorLimits::Duration pause_;  // before the next attempt
  std::string told_;            // why there is no VMM, as it was told last
};

}  // namespace vhost::door
