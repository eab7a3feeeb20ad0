// One VM over its whole life: started, watched, started again by its policy, stopped.
//
// Theory of operation. `wanted` is what the operator wants, `state` what is. start() brings it up
// and leaves supervise() behind, which waits for the process to end or for the VM not to be wanted
// any more; stop() takes `wanted` away, waits for supervise() to let go, and ends the process:
// power button, wait, shutdown, kill. A start that is under way sees that it is not wanted and
// gives up.
//
// Threads: the event loop's. Errors: LaunchError with the VM's name before it.
#pragma once

#include <atomic>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/backoff.h"
#include "runtime/console.h"
#include "runtime/vm_process.h"
#include "runtime/vm_resources.h"

namespace launcher {

enum class VmState { stopped, starting, running, backing_off, stopping, failed };
const char* name_of(VmState state);

// Shared with the probe of an address, which runs on a thread of its own.
struct ProbeStop {
  std::atomic<bool> flag = false;
  bool done = false;  // the event loop's
};

class Vm {
 public:
  Vm(Host& host, VmConfig config);

  // Returns when it is ready.
  Task<> start();
  Task<> stop();
  // A start under way gives up; does nothing to a VM that runs.
  void abandon(const std::string& reason);

  Task<nlohmann::json> add_net(NetConfig config);
  Task<nlohmann::json> add_device(std::string device);
  Task<> remove_device(std::string id);

  const VmConfig& config() const { return config_; }
  // Interfaces: the file's, then those added later that it still has.
  std::vector<NetConfig> nets() const;
  const std::string& name() const { return config_.name; }
  VmState state() const { return state_; }
  bool is_up() const { return state_ == VmState::running; }
  unsigned kills() const { return kills_; }
  nlohmann::json status() const;

 private:
  Task<> bring_up();
  Task<> await_ready();
  Task<> await_links(Clock::time_point deadline);
  Task<> await_address(Clock::time_point deadline);
  Task<> watch_probe(std::shared_ptr<ProbeStop> stop);
  Task<> supervise();
  Task<> explain(std::exception_ptr error);
  Task<bool> await_next_try(bool succeeded, std::chrono::milliseconds ran);
  Task<> end_process(bool politely);
  Task<> press_power_button();
  Task<> attempt(const char* what, VmProcess::Operation operation);
  void change(VmState state);
  void remark(const std::string& text);
  void require_running() const;
  // Why waiting makes no sense any more; empty: it does.
  std::string interruption() const;
  [[noreturn]] void fail(const std::string& why) const;

  Host& host_;
  VmConfig config_;
  Console console_;
  LogFile log_;
  VmResources resources_;
  std::unique_ptr<VmProcess> process_;
  Backoff backoff_;
  VmState state_ = VmState::stopped;
  bool wanted_ = false;
  bool supervised_ = false;
  std::string reason_;     // why it ended or failed last
  std::string abandoned_;  // why a start is given up
  unsigned restarts_ = 0;
  unsigned kills_ = 0;
};

}  // namespace launcher
