// Lets VMMs in that connect to the port's socket.
//
// Admission: at most `admissions_per_second`, and peers that the credentials turn away have a
// budget of their own. While a budget is used up nothing is accepted: connections wait in the
// kernel's short backlog, cost nothing here, and come in by turns. Closing them instead would cost
// an accept each, at a rate the peer chooses, and would turn a VMM away that merely comes at a bad
// moment. Threads: the io_context's. Errors: the constructor throws SocketError.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "vhost/door/entrance.h"
#include "vhost/door/limits.h"
#include "vhost/door/rate.h"
#include "vhost/door/socket_file.h"
#include "vhost/socket_access.h"

namespace vhost::door {

class Listener : public Entrance, public std::enable_shared_from_this<Listener> {
 public:
  Listener(boost::asio::io_context& loop, const std::filesystem::path& socket,
           const SocketAccess& access, const DoorLimits& limits, EntranceHost host);
  ~Listener() override { acceptor_.release(); }  // the file closes its own descriptor

  void open() override { await_vmm(); }

 private:
  void await_vmm();
  void pause_until(Clock::time_point when);
  void accept_one();
  void greet(Visitor visitor);

  SocketAccess access_;
  DoorLimits limits_;
  EntranceHost host_;
  SocketFile file_;
  boost::asio::posix::stream_descriptor acceptor_;
  boost::asio::steady_timer pause_;
  SlidingWindow admissions_;
  SlidingWindow refusals_;
};

}  // namespace vhost::door
