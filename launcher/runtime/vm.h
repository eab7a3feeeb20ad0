// One VM over its whole life: started, watched, started again by its policy, stopped.
//
// Theory of operation. `wanted` is what the operator wants, `state` what is. What changes the VM or
// speaks to it takes turns: a start, a stop, the way from an end to the next try, a device that
// comes or goes. start() brings it up and leaves supervise() behind, which waits for the process to
// end or for a stop. stop() says that the VM is not wanted before it has its turn, so that whoever
// has it (a start, above all) gives up; then it ends the process: power button, wait, shutdown,
// kill. So does a start that fails or gives up, once the guest was booted.
//
// Threads: the event loop's. Errors: LaunchError with the VM's name before it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/backoff.h"
#include "runtime/console.h"
#include "runtime/turns.h"
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

// Why a start is not wanted any more by who asked for it; empty: it is.
using GivenUp = std::function<std::string()>;

// A start, for those who wait for it.
struct VmStart {
  bool done = false;
  std::string failure;
};

class Vm {
 public:
  Vm(Host& host, VmConfig config);

  // Returns when it is ready. A start that was asked for before is waited for, and its outcome
  // shared: false. So is one that is up, or will be by itself.
  Task<bool> start(GivenUp given_up);
  Task<> stop();

  // `choose` gives it its addresses when those before it have theirs.
  Task<nlohmann::json> add_net(std::function<NetConfig()> choose);
  Task<nlohmann::json> add_device(std::string device);
  Task<> remove_device(std::string id);

  const VmConfig& config() const { return config_; }
  // Interfaces: the file's, then those added later that it still has.
  std::vector<NetConfig> nets() const;
  const std::string& name() const { return config_.name; }
  VmState state() const { return state_; }
  bool is_up() const { return state_ == VmState::running; }
  bool is_down() const { return state_ == VmState::stopped || state_ == VmState::failed; }
  unsigned kills() const { return kills_; }
  nlohmann::json status() const;

 private:
  Task<> share_start(GivenUp given_up);
  Task<> start_in_turn(uint64_t stops, GivenUp given_up);
  Task<> bring_up();
  Task<> start_process();
  Task<> await_ready();
  Task<> await_links(Clock::time_point deadline);
  Task<> await_address(Clock::time_point deadline);
  Task<> watch_probe(std::shared_ptr<ProbeStop> stop);
  Task<> undo_start(std::string failure);
  // What belongs to a start ends with the first stop after it: `stops` is how many there were.
  Task<> supervise(uint64_t stops);
  // After an end that nobody asked for: the time until the next try; nothing: there is none.
  Task<std::optional<std::chrono::milliseconds>> clear_away(uint64_t stops);
  Task<> start_again(uint64_t stops);
  Task<> explain(std::exception_ptr error);
  Task<> release(bool with_devices);
  Task<> end_process();
  Task<bool> press_power_button();
  Task<bool> attempt(const char* what, VmProcess::Operation operation, std::chrono::seconds within);
  void change(VmState state);
  void remark(const std::string& text);
  void require_running() const;
  Task<std::shared_ptr<Turn>> take_turn_of_running();
  // A guest may let go of a device when nobody waits for it any more: then it is given back.
  void note_removed(const std::string& id);
  Task<> give_back_removed(std::shared_ptr<VmProcess> process);
  Task<> give_back(std::string id);
  // What the VMM is asked to do to a VM that still runs.
  Task<> change_hardware(std::string what, VmProcess::Operation operation);
  // Why waiting makes no sense any more; empty: it does.
  std::string interruption() const;
  [[noreturn]] void fail(const std::string& why) const;

  Host& host_;
  VmConfig config_;
  Console console_;
  LogFile log_;
  VmResources resources_;
  std::shared_ptr<VmProcess> process_;   // held by whoever waits for something of it
  bool booted_ = false;                  // boot() of that process came to its end
  std::map<std::string, bool> leaving_;  // ids that process was asked to remove: it is gone
  Backoff backoff_;
  Turns turns_;
  VmState state_ = VmState::stopped;
  bool wanted_ = false;
  std::shared_ptr<VmStart> start_;  // the last one
  GivenUp given_up_;                // of the start that has the turn
  std::string reason_;              // why it ended or failed last
  uint64_t stops_ = 0;              // asked for so far
  uint64_t stops_before_ = 0;       // the last start
  unsigned restarts_ = 0;
  unsigned kills_ = 0;
};

}  // namespace launcher
