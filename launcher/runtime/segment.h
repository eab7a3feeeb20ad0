// One segment: a switchd, started by the launcher or running already, and the ports of VMs on it.
//
// Theory of operation. A switch of ours runs as a user of its own (when root), with its sockets in
// a directory of the topology; each port's socket is then given to the VM's user, mode 0600, and
// the switch lets nobody else in. It is started again when it dies, with all its ports, so that
// VMMs find their sockets within their own patience. Ports are transient: the switch forgets them
// when it ends. One that others run is watched, and has its ports added again when somebody else
// has started it again. A port that a killed launcher left on a running switch is replaced.
//
// Switches serve hostile guests, and root does what they answer only as far as it must: a socket is
// given away when it has the port's name and belongs to the switch's user.
//
// Threads: the event loop's; requests run in the background. Errors: LaunchError in the switch's
// words.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "process/child_process.h"
#include "runtime/background.h"
#include "runtime/log_file.h"
#include "runtime/progress.h"
#include "runtime/switch_requests.h"
#include "runtime/switch_watch.h"
#include "topology/topology.h"

namespace launcher {

struct SegmentOptions {
  SwitchConfig config;
  std::filesystem::path directory;  // of the switch
  std::filesystem::path log;
  std::filesystem::path program;    // of a switch to start
  std::optional<Credentials> user;  // to run it as
  std::string prefix;               // of ports' names on a switch that others use, too
};

class Segment {
 public:
  Segment(Background& background, Progress& progress, Changes& changes, SegmentOptions options);
  ~Segment();

  Task<> start();
  Task<> stop();
  bool started() const { return started_; }
  // "stopped", "running"; "away": it ended, and has its ports again when it is back.
  const char* state() const;
  const std::string& name() const { return options_.config.segment; }
  std::optional<pid_t> pid() const;

  // The path to connect to.
  Task<std::filesystem::path> add_port(PortWish wish);
  // Nothing happens when it is gone already.
  Task<> remove_port(std::string name);
  // "listening", "connected", "attached", "faulted"; empty: the switch does not answer now.
  Task<std::string> port_state(std::string name);
  // Of the port on the switch, which may have a prefix.
  std::string port_name(const std::string& name) const { return options_.prefix + name; }

 private:
  Task<nlohmann::json> call(std::string method, nlohmann::json params);
  Task<std::filesystem::path> make_port(PortWish wish, bool keeps);
  Task<> start_switch();
  Task<> launch();
  Task<> await_ready(int ready);
  Task<> recover();
  Task<> recover_other();
  Task<> restore_ports();
  std::vector<std::string> arguments() const;
  void on_end();
  std::filesystem::path control_socket() const;
  uid_t switch_user() const;
  void give(const std::filesystem::path& socket, const PortWish& wish) const;

  Background& background_;
  Progress& progress_;
  Changes& changes_;
  SegmentOptions options_;
  std::unique_ptr<ChildProcess> process_;
  SwitchWatch watch_;  // of one that is not ours
  std::map<std::string, PortWish> ports_;
  Clock::time_point launched_;
  bool starting_ = false;
  bool started_ = false;
  bool recovering_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace launcher
