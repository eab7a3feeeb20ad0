#include "runtime/supervisor.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "process/error.h"
#include "runtime/programs.h"
#include "topology/dependencies.h"
#include "topology/identity.h"

namespace launcher {

namespace {

using nlohmann::json;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

// VMs that start together.
struct StartRun {
  std::vector<std::string> names;
  std::set<std::string> started;  // by this run, no other
  std::set<std::string> pending;
  std::string failure;  // the first one's
};

struct StopRun {
  std::set<std::string> pending;
};

Supervisor::Supervisor(boost::asio::io_context& loop, const Topology& topology,
                       StateDirectory& state, Progress& progress, const SupervisorOptions& options)
    : topology_(topology),
      changes_(loop),
      progress_(progress),
      state_(state),
      users_(options.records / "users.json", topology.first_user, topology.last_user),
      devices_(loop, progress, topology, options.vfio_setup, state.devices()),
      host_{loop,   changes_, background_, progress_,           topology_, state,
            users_, devices_, segments_,   options.find_driver, false},
      warnings_(options.warnings) {
  make_segments(options);
  for (const VmConfig& config : topology.vms) {
    vms_.emplace(config.name, std::make_unique<Vm>(host_, config));
  }
}

void Supervisor::make_segments(const SupervisorOptions& options) {
  for (const SwitchConfig& config : topology_.switches) {
    SegmentOptions segment;
    segment.config = config;
    segment.directory = state_.segment(config.segment);
    segment.log = state_.log("switch-" + config.segment + ".log");
    segment.program = options.switchd;
    if (config.start) {
      segment.program = find_program("switchd", options.switchd, "--switchd");
      segment.user = users_.user_of(topology_.name + "/switch:" + config.segment, "");
    } else {
      segment.prefix = topology_.name + ".";
    }
    segments_.emplace(config.segment, std::make_unique<Segment>(background_, progress_, changes_,
                                                                std::move(segment)));
  }
}

Vm& Supervisor::vm(const std::string& name) {
  const auto found = vms_.find(name);
  if (found != vms_.end()) return *found->second;
  std::string names;
  for (const auto& [known, ignored] : vms_) names += (names.empty() ? "" : ", ") + known;
  throw LaunchError("there is no VM '" + name + "'; there is " + names);
}

Task<> Supervisor::start_segments(std::vector<std::string> names) {
  for (const SwitchConfig& config : topology_.switches) {
    const bool is_needed = std::any_of(names.begin(), names.end(), [&](const auto& name) {
      const auto& nets = topology_.find(name)->nets;
      return std::any_of(nets.begin(), nets.end(),
                         [&](const NetConfig& net) { return net.segment == config.segment; });
    });
    if (is_needed) co_await segments_.at(config.segment)->start();
  }
}

Task<> Supervisor::start(std::vector<std::string> names, bool alone) {
  for (const std::string& name : names) vm(name);
  if (going_down_) throw LaunchError("the topology goes down");
  const auto run = std::make_shared<StartRun>();
  run->names = alone ? names : start_order(topology_, names);
  co_await start_segments(run->names);
  for (const std::string& name : run->names) {
    const VmState state = vm(name).state();
    // One that runs, or will by itself, is what was asked for.
    if (state == VmState::running || state == VmState::backing_off) continue;
    run->pending.insert(name);
  }
  const std::set<std::string> pending = run->pending;
  for (const std::string& name : pending) {
    auto starting = start_one(name, run);
    boost::asio::co_spawn(changes_.loop(), std::move(starting),
                          [](const std::exception_ptr& error) {
                            if (error) std::rethrow_exception(error);
                          });
  }
  const auto is_done = [run] { return run->pending.empty(); };
  co_await changes_.until(is_done, Clock::now() + kForever);
  if (run->failure.empty()) co_return;
  std::vector<std::string> order(run->names.rbegin(), run->names.rend());
  std::erase_if(order, [&](const auto& name) { return !run->started.contains(name); });
  co_await stop_all(std::move(order));
  throw LaunchError(run->failure);
}

GivenUp Supervisor::given_up(std::shared_ptr<StartRun> run) const {
  return [this, run = std::move(run)]() -> std::string {
    if (going_down_) return "the topology goes down";
    return run->failure.empty() ? "" : "given up: " + run->failure;
  };
}

Task<> Supervisor::await_dependencies(std::string name, std::shared_ptr<StartRun> run) {
  const GivenUp why_not = given_up(run);
  std::string gone;  // will not come by itself, and nobody of this run brings it
  const auto may_go = [&] {
    bool is_ready = true;
    for (const std::string& other : vm(name).config().depends) {
      if (vm(other).is_up() || !contains(run->names, other)) continue;
      is_ready = false;
      if (vm(other).is_down() && !run->pending.contains(other)) gone = other;
    }
    return is_ready || !gone.empty() || !why_not().empty();
  };
  co_await changes_.until(may_go, Clock::now() + kForever);
  if (const std::string reason = why_not(); !reason.empty()) {
    throw LaunchError(name + ": " + reason);
  }
  if (gone.empty()) co_return;
  throw LaunchError(name + ": depends on " + gone + ", which is " + name_of(vm(gone).state()));
}

Task<> Supervisor::start_one(std::string name, std::shared_ptr<StartRun> run) {
  std::string failure;
  try {
    co_await await_dependencies(name, run);
    GivenUp why_not = given_up(run);
    const bool is_own = co_await vm(name).start(std::move(why_not));
    if (is_own) run->started.insert(name);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (!failure.empty()) progress_.say("", "failed: " + failure);
  if (run->failure.empty()) run->failure = failure;
  run->pending.erase(name);
  changes_.notify();
}

std::vector<std::string> Supervisor::running_dependents(const std::string& name) const {
  std::vector<std::string> found = dependents(topology_, name);
  std::erase_if(found, [&](const auto& other) { return vms_.at(other)->is_down(); });
  return found;
}

Task<> Supervisor::stop(std::string name, bool with_dependents) {
  Vm& one = vm(name);
  std::vector<std::string> order = running_dependents(name);
  if (!order.empty() && !with_dependents) {
    std::string names;
    for (const std::string& other : order) names += (names.empty() ? "" : ", ") + other;
    throw LaunchError("what depends on " + name + " is running: " + names +
                      "; stop it first, or use --with-dependents");
  }
  order.push_back(one.name());
  co_await stop_all(std::move(order));
}

Task<> Supervisor::restart(std::string name, bool with_dependents) {
  std::vector<std::string> names = running_dependents(name);
  names.push_back(name);
  // Only the VM itself comes and goes; what depends on it waits for it, as after a crash.
  if (!with_dependents) names = {name};
  std::vector<std::string> order = names;
  vm(name);
  co_await stop_all(std::move(order));
  std::reverse(names.begin(), names.end());
  co_await start(std::move(names));
}

Task<> Supervisor::stop_all(std::vector<std::string> order) {
  const auto run = std::make_shared<StopRun>();
  run->pending.insert(order.begin(), order.end());
  for (const std::string& name : order) {
    auto stopping = stop_one(name, run);
    boost::asio::co_spawn(changes_.loop(), std::move(stopping),
                          [](const std::exception_ptr& error) {
                            if (error) std::rethrow_exception(error);
                          });
  }
  const auto is_done = [run] { return run->pending.empty(); };
  co_await changes_.until(is_done, Clock::now() + kForever);
}

Task<> Supervisor::stop_one(std::string name, std::shared_ptr<StopRun> run) {
  const auto may_go = [&] {
    const auto& pending = run->pending;
    return std::none_of(pending.begin(), pending.end(), [&](const auto& other) {
      return contains(topology_.find(other)->depends, name);
    });
  };
  co_await changes_.until(may_go, Clock::now() + kForever);
  std::string problem;
  try {
    co_await vm(name).stop();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty()) progress_.warn(name, problem);
  run->pending.erase(name);
  changes_.notify();
}

void Supervisor::hurry() {
  host_.hurry = true;
  changes_.notify();
}

void Supervisor::give_up_starts() {
  going_down_ = true;
  changes_.notify();
}

Task<> Supervisor::down() {
  give_up_starts();
  std::vector<std::string> order = start_order(topology_, {});
  std::reverse(order.begin(), order.end());
  co_await stop_all(std::move(order));
  std::string problem;
  try {
    co_await devices_.give_back_all();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty()) progress_.warn("", problem);
  for (const auto& [name, segment] : segments_) co_await segment->stop();
}

NetConfig Supervisor::completed(const std::string& name, NetConfig net) const {
  if (!segments_.contains(net.segment)) {
    throw LaunchError("there is no segment '" + net.segment + "' in this topology");
  }
  if (!segments_.at(net.segment)->started()) {
    throw LaunchError("the switch of segment '" + net.segment + "' is not running");
  }
  // As if it stood in the file, behind all that was added before.
  Topology wider = topology_;
  for (VmConfig& one : wider.vms) one.nets = vms_.at(one.name)->nets();
  for (VmConfig& one : wider.vms) {
    if (one.name != name) continue;
    net.origin = "add-net";
    one.nets.push_back(net);
    one.nets.back().address.clear();
    assign_identities(wider);
    return one.nets.back();
  }
  return net;
}

Task<json> Supervisor::add_net(std::string name, NetConfig net) {
  Vm& one = vm(name);
  std::function<NetConfig()> choose = [this, name, net] { return completed(name, net); };
  co_return co_await one.add_net(std::move(choose));
}

Task<json> Supervisor::add_device(std::string name, std::string device) {
  Vm& one = vm(name);
  co_return co_await one.add_device(std::move(device));
}

Task<> Supervisor::remove_device(std::string name, std::string id) {
  Vm& one = vm(name);
  co_await one.remove_device(std::move(id));
}

json Supervisor::status() const {
  json vms = json::array(), switches = json::array();
  for (const VmConfig& config : topology_.vms) vms.push_back(vms_.at(config.name)->status());
  for (const auto& [name, segment] : segments_) {
    const auto pid = segment->pid();
    switches.push_back({{"segment", name},
                        {"running", segment->started()},
                        {"state", segment->state()},
                        {"pid", pid ? json(*pid) : json(nullptr)}});
  }
  return {{"topology", topology_.name},
          {"file", topology_.file.string()},
          {"state_dir", state_.path().string()},
          {"pid", getpid()},
          {"switches", switches},
          {"warnings", warnings_},
          {"vms", vms}};
}

bool Supervisor::idle() const {
  return std::all_of(vms_.begin(), vms_.end(),
                     [](const auto& one) { return one.second->is_down(); });
}

bool Supervisor::any_failed() const {
  return std::any_of(vms_.begin(), vms_.end(),
                     [](const auto& one) { return one.second->state() == VmState::failed; });
}

unsigned Supervisor::kills() const {
  unsigned sum = 0;
  for (const auto& [name, one] : vms_) sum += one->kills();
  return sum;
}

}  // namespace launcher
