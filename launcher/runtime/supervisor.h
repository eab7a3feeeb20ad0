// Owns a running topology: its switches, its VMs, and the order in which they come and go.
//
// Theory of operation. VMs that do not depend on each other start at the same time; each waits for
// what it depends on to be up. One that somebody else starts is waited for, and that start's
// outcome shared. When one cannot come up, those that were started with it are taken down again, no
// others. Going down is the reverse: each VM waits for those that depend on it.
//
// Threads: the event loop's. Errors: LaunchError.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/host.h"
#include "runtime/vm.h"

namespace launcher {

struct SupervisorOptions {
  std::filesystem::path switchd;      // empty: looked for
  std::filesystem::path vfio_setup;   // likewise
  std::filesystem::path records;      // of users
  std::vector<std::string> warnings;  // what `status` repeats
  std::function<const VmmDriver&(VmmKind)> find_driver;
};

class Supervisor {
 public:
  Supervisor(boost::asio::io_context& loop, const Topology& topology, StateDirectory& state,
             Progress& progress, const SupervisorOptions& options);

  // Those VMs and what they depend on; all when empty. `alone`: without what they depend on.
  Task<> start(std::vector<std::string> names, bool alone = false);
  Task<> stop(std::string name, bool with_dependents);
  Task<> restart(std::string name, bool with_dependents);
  // Everything, switches and devices, too. Starts under way are given up.
  Task<> down();
  void give_up_starts();
  void hurry();  // VMs that are going down are killed

  Task<nlohmann::json> add_net(std::string vm, NetConfig net);
  Task<nlohmann::json> add_device(std::string vm, std::string device);
  Task<> remove_device(std::string vm, std::string id);
  nlohmann::json status() const;

  // No VM is up or will be.
  bool idle() const;
  bool any_failed() const;
  unsigned kills() const;
  Changes& changes() { return changes_; }

 private:
  Vm& vm(const std::string& name);
  void make_segments(const SupervisorOptions& options);
  Task<> start_segments(std::vector<std::string> names);
  GivenUp given_up(std::shared_ptr<struct StartRun> run) const;
  // Throws when one of them will not come.
  Task<> await_dependencies(std::string name, std::shared_ptr<struct StartRun> run);
  Task<> start_one(std::string name, std::shared_ptr<struct StartRun> run);
  Task<> stop_all(std::vector<std::string> order);
  Task<> stop_one(std::string name, std::shared_ptr<struct StopRun> run);
  std::vector<std::string> running_dependents(const std::string& name) const;
  NetConfig completed(const std::string& vm, NetConfig net) const;

  const Topology& topology_;
  Changes changes_;
  Background background_;
  Progress& progress_;
  StateDirectory& state_;
  Users users_;
  Devices devices_;
  std::map<std::string, std::unique_ptr<Segment>> segments_;
  Host host_;
  std::map<std::string, std::unique_ptr<Vm>> vms_;
  std::vector<std::string> warnings_;
  bool going_down_ = false;
};

}  // namespace launcher
