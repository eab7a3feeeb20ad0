// A VM's process and what speaks to it: one run of a VMM, from its start to its end.
//
// Theory of operation. Operations of the VMM run as coroutines of their own, and whoever wants one
// waits for it, for the end of the process, or for a deadline, whatever comes first; a VMM that
// hangs holds nobody up. An operation that is left behind keeps the Vmm object alive until it ends.
//
// Threads: the event loop's. Errors: LaunchError or VmmError.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/console.h"
#include "runtime/host.h"
#include "runtime/stream_log.h"

namespace launcher {

// Before what the launcher itself writes into a VM's log.
inline constexpr const char* kRemark = "launcher: ";

// Tells the operator, now and in the log.
void remark_on(const std::string& vm, const std::string& text, Progress& progress, LogFile& log);

class VmProcess {
 public:
  using Operation = std::function<Task<>(Vmm&)>;

  // Starts it; `vmm` is prepared. `log` gets the VMM's standard error.
  VmProcess(Host& host, std::shared_ptr<Vmm> vmm, const VmConfig& config, const VmSpec& spec,
            Console& console, LogFile& log);
  ~VmProcess();
  // Lets go of the console and the VMM, though somebody may still wait for something of it.
  void close();

  // Throws what the operation throws, when the process ends, when time is over, or with what
  // `interrupted` says once that is not empty.
  Task<> run(std::string what, Operation operation, std::chrono::milliseconds within,
             std::function<std::string()> interrupted);
  // False when the deadline came first.
  Task<bool> ended(Clock::time_point deadline);

  bool running() const { return process_->running(); }
  bool succeeded() const { return process_->succeeded(); }
  pid_t pid() const { return process_->pid(); }
  void kill();
  // A device went, by its id: asked for or not.
  void on_removed(std::function<void(const std::string&)> handler) {
    removed_ = std::move(handler);
  }
  // "signal 11 (Segmentation fault): last lines of its log"
  std::string end_text();
  Clock::time_point since() const { return since_; }

 private:
  void on_event(const VmmEvent& event);

  Host& host_;
  std::string name_;
  Console& console_;
  LogFile& log_;
  std::shared_ptr<Vmm> vmm_;
  StreamLog error_;
  std::unique_ptr<ChildProcess> process_;
  std::function<void(const std::string&)> removed_;
  bool closed_ = false;
  Clock::time_point since_ = Clock::now();
};

}  // namespace launcher
