// A running switch with its control socket: ports of the configuration, ports of the state file,
// clients.
//
// Ports of the configuration are all there or the start fails. What was added at run time is
// restored as far as it can be: a port whose socket cannot be had any more (a directory that is
// gone) is logged, shown by `status` and kept in the state file, and does not keep the others from
// their guests. Where both name the same port the configuration wins.
//
// Threads: the io_context's. Errors: SwitchError, SocketError.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>

#include "control/commands.h"
#include "control/configuration.h"
#include "control/control_server.h"
#include "control/state_file.h"
#include "datapath/switch_api.h"

namespace control {

class Service {
 public:
  // Takes the control socket; all arguments outlive the service.
  Service(boost::asio::io_context& loop, const Configuration& configuration, StateFile& state,
          datapath::SwitchApi& net);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Every socket listens when this returns.
  void start();

  std::string summary() const;  // one line, for people

 private:
  void add_configured_ports();
  void restore_ports();
  void restore_port(const PortConfig& port);
  void restore_macs();
  void give_up(const std::string& name, const std::string& reason);
  std::string answer_line(std::string_view line, const std::function<void()>& subscribe);

  CommandContext context_;
  ControlServer server_;
};

}  // namespace control
