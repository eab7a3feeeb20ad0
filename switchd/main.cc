// switchd: options -> configuration -> privileges -> switch -> event loop, and nothing else.
//
// Exit status: 0 stopped by a signal, 1 failed, 2 not started because of its configuration.
#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "client/default_paths.h"
#include "control/directories.h"
#include "control/logging.h"
#include "control/options.h"
#include "control/privileges.h"
#include "control/readiness.h"
#include "control/service.h"
#include "control/state_file.h"
#include "control/version.h"
#include "datapath/switch.h"

namespace {

enum ExitStatus { kStopped = 0, kFailed = 1, kBadConfiguration = 2 };

void stop_on_signals(boost::asio::io_context& loop, boost::asio::signal_set& signals) {
  signals.async_wait([&loop](const boost::system::error_code& error, int number) {
    if (error) return;
    spdlog::info("signal {}: stopping; guests keep running", number);
    control::announce_stopping();
    loop.stop();
  });
}

// Directories and privileges: everything that needs root, before anything is served.
void prepare_process(const control::Configuration& configuration) {
  const control::Identity identity = control::identity_for(configuration);
  control::prepare_directories(configuration, identity);
  control::become(identity, control::socket_groups(configuration));
  control::limit_process();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // nothing to read again: ports come and go by switchctl
}

int run(const control::CommandLine& line, control::StateFile& state) {
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
  datapath::Switch net(loop, line.configuration.switching);
  control::Service service(loop, line.configuration, state, net);
  service.start();
  stop_on_signals(loop, signals);
  spdlog::info("ready: {}", service.summary());
  control::announce_ready(line.ready_fd, service.summary());
  loop.run();
  return kStopped;
}

int dispatch(const control::CommandLine& line) {
  using Action = control::CommandLine::Action;
  switch (line.action) {
    case Action::show_help:
      std::cout << control::help_text();
      return kStopped;
    case Action::show_version:
      std::cout << "switchd " << control::version() << "\n";
      return kStopped;
    case Action::check_config:
      control::StateFile(line.configuration.state_file);
      std::cout << "The configuration is good; ports: " << line.configuration.ports.size() << "\n";
      return kStopped;
    case Action::run:
      break;
  }
  control::start_log(line.configuration.log_level);
  prepare_process(line.configuration);
  control::StateFile state(line.configuration.state_file);
  return run(line, state);
}

int report(const std::exception& error, int status) {
  std::cerr << "switchd: " << error.what() << "\n";
  return status;
}

}  // namespace

int main(int argc, char* argv[]) {
  try {
    return dispatch(control::parse_command_line(argc, argv));
  } catch (const control::ConfigError& error) {
    return report(error, kBadConfiguration);
  } catch (const client::PathError& error) {
    return report(error, kBadConfiguration);
  } catch (const std::exception& error) {
    return report(error, kFailed);
  }
}
