#include "cli/owner.h"

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "cli/checks.h"
#include "cli/readiness.h"
#include "runtime/control_server.h"
#include "runtime/given_disks.h"
#include "runtime/supervisor.h"
#include "runtime/vm_locks.h"
#include "topology/topology_check.h"
#include "topology/topology_file.h"

namespace launcher {
namespace {

namespace asio = boost::asio;
constexpr Clock::duration kForever = std::chrono::hours(24 * 365);

Topology read(const Options& options) {
  Topology topology = read_topology_file(options.words.at(0));
  if (!options.vmm.empty()) {
    const VmmKind kind = find_vmm(options.vmm).kind;
    for (VmConfig& vm : topology.vms) vm.vmm = kind;
  }
  for (size_t word = 1; word < options.words.size(); ++word) {
    if (topology.find(options.words[word]) != nullptr) continue;
    throw TopologyError(topology.file.string(), "there is no VM '" + options.words[word] + "'");
  }
  check_files(topology);
  return topology;
}

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

class Owner {
 public:
  // `vms` are those that it may run.
  Owner(const Options& options, const Topology& topology, const std::vector<std::string>& vms,
        std::filesystem::path directory, const FindDriver& find_driver)
      : options_(options),
        progress_(std::cout),
        state_(std::move(directory), topology.file.string()),
        locks_(topology.file, vms, state_.path()),
        signals_(loop_, SIGINT, SIGTERM, SIGHUP),
        supervisor_(loop_, topology, state_, progress_,
                    {options.switchd, options.vfio_setup, record_directory(), warnings(topology),
                     find_driver}),
        control_(loop_, state_.control_socket(), supervisor_, progress_, [this] { quit("down"); }) {
    for (const std::string& vm : vms) give_back_disks(topology.file, vm);
    give_back_disks_of_others(topology);
    await_signal();
  }

  // `alone`: one VM without what it depends on, and the end comes with its end.
  int run(std::vector<std::string> names, bool alone) {
    progress_.say("", "state directory " + state_.path().string());
    auto work = own(std::move(names), alone);
    asio::co_spawn(loop_, std::move(work), [this](const std::exception_ptr& error) {
      loop_.stop();
      if (error) std::rethrow_exception(error);
    });
    loop_.run();
    if (!succeeded_) {
      state_.keep_logs();
      progress_.say("", "logs are in " + state_.log("").string());
    }
    return succeeded_ ? 0 : 1;
  }

 private:
  void give_back_disks(const std::filesystem::path& topology, const std::string& vm) {
    for (const auto& disk : GivenDisks(disk_record(topology, vm)).give_back_all()) {
      progress_.say(vm, disk.string() + " given back, for a launcher that was killed");
    }
  }

  // VMs that were taken out of the file since.
  void give_back_disks_of_others(const Topology& topology) {
    for (const std::string& vm : vms_with_a_disk_record(topology.file)) {
      if (topology.find(vm) != nullptr) continue;
      try {
        const VmLocks lock(topology.file, {vm}, state_.path());
        give_back_disks(topology.file, vm);
      } catch (const OwnedError&) {
        // A launcher that read the file before runs it.
      }
    }
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      if (quits_) hurry();
      quit("signal " + std::to_string(number));
      await_signal();
    });
  }

  void hurry() {
    progress_.say("", "asked again: what has not ended is killed");
    supervisor_.hurry();
  }

  void quit(const std::string& why) {
    if (quits_) return;
    quits_ = true;
    progress_.say("", why + ": going down");
    announce_stopping();
    supervisor_.give_up_starts();
    supervisor_.changes().notify();
  }

  Task<> own(std::vector<std::string> names, bool alone) {
    std::string failure;
    try {
      co_await supervisor_.start(std::move(names), alone);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) {
      progress_.say("", "everything is up");
      announce_ready(options_.ready_fd, "up");
      const auto is_over = [this, alone] { return quits_ || (alone && supervisor_.idle()); };
      co_await supervisor_.changes().until(is_over, Clock::now() + kForever);
      succeeded_ = !alone || quits_ || !supervisor_.any_failed();
    } else if (quits_) {
      succeeded_ = true;
    } else {
      progress_.say("", failure);
    }
    co_await supervisor_.down();
    const unsigned kills = supervisor_.kills();
    progress_.say(
        "", kills == 0 ? "everything is down"
                       : "everything is down; VMs that had to be killed: " + std::to_string(kills));
    if (!failure.empty() && !succeeded_) std::cerr << "launcher: " << failure << std::endl;
  }

  const Options& options_;
  Progress progress_;
  StateDirectory state_;
  VmLocks locks_;
  asio::io_context loop_{1};
  asio::signal_set signals_;
  Supervisor supervisor_;
  ControlServer control_;
  bool quits_ = false;
  bool succeeded_ = false;
};

}  // namespace

int up_command(const Options& options, const FindDriver& find_driver) {
  const Topology topology = read(options);
  prepare_process();
  const auto directory = options.state_dir.empty() ? launcher_directory() / topology.name
                                                   : std::filesystem::absolute(options.state_dir);
  check_socket_paths(topology, directory);
  print_warnings(topology, std::cout);
  const std::vector<std::string> names(options.words.begin() + 1, options.words.end());
  std::vector<std::string> all;
  for (const VmConfig& vm : topology.vms) all.push_back(vm.name);
  return Owner(options, topology, all, directory, find_driver).run(names, false);
}

int run_command(const Options& options, const FindDriver& find_driver) {
  const Topology topology = read(options);
  const std::string& name = options.words.at(1);
  for (const NetConfig& net : topology.find(name)->nets) {
    for (const SwitchConfig& one : topology.switches) {
      if (one.segment != net.segment || !one.start) continue;
      throw TopologyError(one.origin,
                          "`launcher run` needs a switch that runs already: give "
                          "[switch] the control_socket of segment '" +
                              one.segment + "'");
    }
  }
  prepare_process();
  const auto directory = options.state_dir.empty()
                             ? launcher_directory() / (topology.name + "." + name)
                             : std::filesystem::absolute(options.state_dir);
  check_socket_paths(topology, directory);
  print_warnings(topology, std::cout);
  return Owner(options, topology, {name}, directory, find_driver).run({name}, true);
}

}  // namespace launcher
