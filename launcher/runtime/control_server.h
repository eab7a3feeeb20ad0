// The other commands' way into a running launcher: DIR/control.sock, mode 0600.
//
//   method                 parameters
//   status
//   start                  vms
//   stop, restart          vm, with_dependents
//   down
//   add-net                vm, segment, mac, mtu, queues, isolated
//   add-device             vm, device
//   remove-device          vm, id
//
// Threads: the event loop's. Errors: LaunchError when the socket cannot be made.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>

#include "runtime/control_session.h"
#include "runtime/listener.h"
#include "runtime/progress.h"
#include "runtime/supervisor.h"

namespace launcher {

class ControlServer {
 public:
  // `down` is what the method of that name asks for: it is answered before anything happens.
  ControlServer(boost::asio::io_context& loop, const std::filesystem::path& socket,
                Supervisor& supervisor, Progress& progress, std::function<void()> down);
  ~ControlServer();

 private:
  Task<nlohmann::json> handle(std::string method, nlohmann::json params);
  void serve(Listener::Socket client);

  boost::asio::io_context& loop_;
  Supervisor& supervisor_;
  Progress& progress_;
  std::function<void()> down_;
  std::set<std::shared_ptr<ControlSession>> sessions_;
  int listener_ = 0;  // of progress
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  Listener clients_;
};

}  // namespace launcher
