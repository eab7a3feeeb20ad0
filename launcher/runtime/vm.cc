#include "runtime/vm.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "process/error.h"

namespace launcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Above cloud-hypervisor's own 60 s, which it may spend waiting for a vhost-user socket.
constexpr seconds kBootWithin{90};
constexpr std::chrono::milliseconds kEndWithin{500};
constexpr seconds kAnswerWithin{80};      // nor is it reachable while it waits for a lost switch
constexpr seconds kLastAnswerWithin{10};  // of one that has no guest, or has not answered already
constexpr seconds kShutdownWithin{10};

}  // namespace

const char* name_of(VmState state) {
  constexpr const char* kNames[] = {"stopped",     "starting", "running",
                                    "backing-off", "stopping", "failed"};
  return kNames[static_cast<size_t>(state)];
}

Vm::Vm(Host& host, VmConfig config)
    : host_(host),
      config_(std::move(config)),
      console_(host.loop, host.state.console(config_.name),
               host.state.log(config_.name + ".console")),
      log_(host.state.log(config_.name + ".log")),
      resources_(host, config_),
      backoff_(config_.restart),
      turns_(host.changes) {}

void Vm::change(VmState state) {
  state_ = state;
  host_.changes.notify();
}

void Vm::remark(const std::string& text) {
  remark_on(name(), text, host_.progress, log_);
}

void Vm::fail(const std::string& why) const {
  const std::string prefix = name() + ": ";
  throw LaunchError(why.starts_with(prefix) ? why : prefix + why);
}

std::string Vm::interruption() const {
  if (stops_ != stops_before_) return "stopped while it started";
  return given_up_ ? given_up_() : "";
}

Task<bool> Vm::start(GivenUp given_up) {
  if (wanted_) {
    co_await share_start(std::move(given_up));
    co_return false;
  }
  wanted_ = true;
  const uint64_t stops = stops_;
  const auto outcome = std::make_shared<VmStart>();
  start_ = outcome;
  try {
    co_await start_in_turn(stops, std::move(given_up));
  } catch (const std::exception& error) {
    outcome->failure = error.what();
  }
  given_up_ = nullptr;
  outcome->done = true;
  if (!outcome->failure.empty() && stops == stops_) wanted_ = false;
  host_.changes.notify();
  if (!outcome->failure.empty()) fail(outcome->failure);
  co_return true;
}

Task<> Vm::share_start(GivenUp given_up) {
  const std::shared_ptr<const VmStart> outcome = start_;
  const auto is_over = [&] {
    return (outcome->done && state_ != VmState::starting) || !given_up().empty();
  };
  co_await host_.changes.until(is_over, Clock::now() + kForever);
  if (!outcome->failure.empty()) fail(outcome->failure);
  if (is_up() || state_ == VmState::backing_off) co_return;
  const std::string reason = given_up();
  fail(reason.empty() ? std::string("is ") + name_of(state_) : reason);
}

Task<> Vm::start_in_turn(uint64_t stops, GivenUp given_up) {
  const auto turn = co_await turns_.take();
  stops_before_ = stops;
  given_up_ = std::move(given_up);
  if (const std::string reason = interruption(); !reason.empty()) fail(reason);
  backoff_ = Backoff(config_.restart);
  std::string failure;
  try {
    co_await bring_up();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (!failure.empty()) {
    co_await undo_start(failure);
    fail(failure);
  }
  auto supervision = supervise(stops);
  boost::asio::co_spawn(host_.loop, std::move(supervision), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

Task<> Vm::undo_start(std::string failure) {
  const bool was_stopped = stops_ != stops_before_;
  change(VmState::stopping);
  co_await end_process();
  co_await release(true);
  reason_ = failure;
  change(was_stopped ? VmState::stopped : VmState::failed);
}

Task<> Vm::start_process() {
  const VmSpec spec = co_await resources_.prepare();
  const std::shared_ptr<Vmm> vmm = host_.find_driver(config_.vmm).make(host_.loop, spec);
  co_await vmm->prepare();
  if (const std::string reason = interruption(); !reason.empty()) throw LaunchError(reason);
  process_ = std::make_shared<VmProcess>(host_, vmm, config_, spec, console_, log_);
  process_->on_removed([this](const std::string& id) { note_removed(id); });
  booted_ = false;
  leaving_.clear();
  const auto& user = resources_.user();
  remark(std::string("started, ") + host_.find_driver(config_.vmm).name + ", process id " +
         std::to_string(process_->pid()) +
         (user ? ", user " + std::to_string(user->uid) : std::string()));
}

Task<> Vm::bring_up() {
  change(VmState::starting);
  co_await start_process();
  const std::shared_ptr<VmProcess> process = process_;
  VmProcess::Operation boot = [](Vmm& vmm) { return vmm.boot(); };
  std::function<std::string()> interrupted = [this] { return interruption(); };
  std::string what = "boot";
  std::exception_ptr error;
  try {
    co_await process->run(std::move(what), std::move(boot), kBootWithin, std::move(interrupted));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) co_await explain(error);
  booted_ = true;
  co_await await_ready();
  change(VmState::running);
}

// A VMM that ends closes its sockets first: how it ended says more than that they closed.
Task<> Vm::explain(std::exception_ptr error) {
  const auto deadline = Clock::now() + kEndWithin;
  bool over = false;
  if (interruption().empty()) over = co_await process_->ended(deadline);
  if (over) throw LaunchError("the VMM ended: " + process_->end_text());
  std::rethrow_exception(error);
}

Task<> Vm::supervise(uint64_t stops) {
  const auto is_unwanted = [this, stops] { return stops != stops_; };
  while (true) {
    const std::shared_ptr<VmProcess> process = process_;
    const auto is_over = [&] { return is_unwanted() || !process || !process->running(); };
    co_await host_.changes.until(is_over, Clock::now() + kForever);
    // At once, not when it has the turn: nobody shall take it for one that runs.
    if (!is_unwanted() && state_ == VmState::running) {
      const bool again = restarts(config_.restart.policy, process->succeeded());
      change(again ? VmState::backing_off : VmState::stopping);
    }
    const auto delay = co_await clear_away(stops);
    if (!delay) co_return;
    // Without the turn: what is asked of it meanwhile is answered.
    co_await host_.changes.until(is_unwanted, Clock::now() + *delay);
    co_await start_again(stops);
  }
}

Task<std::optional<milliseconds>> Vm::clear_away(uint64_t stops) {
  const auto turn = co_await turns_.take();
  if (stops != stops_) co_return std::nullopt;
  bool succeeded = false;
  milliseconds ran{0};
  if (process_) {
    succeeded = process_->succeeded();
    ran = std::chrono::duration_cast<milliseconds>(Clock::now() - process_->since());
    reason_ = process_->end_text();
  }
  remark("ended by itself: " + reason_);
  const bool again = restarts(config_.restart.policy, succeeded);
  const auto delay = backoff_.after(ran);
  co_await end_process();
  co_await release(!again);
  if (!again) {
    if (stops == stops_) wanted_ = false;
    change(succeeded ? VmState::stopped : VmState::failed);
    co_return std::nullopt;
  }
  change(VmState::backing_off);
  remark("is started again in " + std::to_string(delay.count()) + " ms");
  co_return delay;
}

Task<> Vm::start_again(uint64_t stops) {
  const auto turn = co_await turns_.take();
  if (stops != stops_) co_return;
  ++restarts_;
  std::string failure;
  try {
    co_await bring_up();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (failure.empty()) {
    remark("is up again");
    co_return;
  }
  reason_ = failure;
  change(VmState::stopping);
  co_await end_process();
}

Task<> Vm::stop() {
  const bool was_up = wanted_;
  wanted_ = false;
  ++stops_;
  host_.changes.notify();
  const auto turn = co_await turns_.take();
  if (process_) {
    change(VmState::stopping);
    co_await end_process();
    reason_ = "stopped";
  }
  co_await release(true);
  if (state_ != VmState::failed) change(VmState::stopped);
  if (was_up) remark("stopped");
}

Task<> Vm::release(bool with_devices) {
  std::string problem;
  try {
    co_await resources_.release(with_devices);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty()) remark("warning: " + problem);
}

Task<bool> Vm::attempt(const char* what, VmProcess::Operation operation, seconds within) {
  const std::shared_ptr<VmProcess> process = process_;
  std::string problem;
  try {
    std::string name = what;
    std::function<std::string()> hurried = [this] {
      return std::string(host_.hurry ? "is not waited for" : "");
    };
    co_await process->run(std::move(name), std::move(operation), within, std::move(hurried));
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty() && process->running()) remark(std::string(what) + ": " + problem);
  co_return problem.empty();
}

// Whether the VMM answered.
Task<bool> Vm::press_power_button() {
  const std::shared_ptr<VmProcess> process = process_;
  if (!process->running()) co_return true;
  remark("power button pressed");
  VmProcess::Operation press = [](Vmm& vmm) { return vmm.power_button(); };
  const bool answered = co_await attempt("power button", std::move(press), kAnswerWithin);
  const auto is_over = [this, process] { return host_.hurry || !process->running(); };
  co_await host_.changes.until(is_over, Clock::now() + config_.power_button_grace);
  co_return answered;
}

Task<> Vm::end_process() {
  const std::shared_ptr<VmProcess> process = process_;
  if (!process) co_return;
  // A guest that was booted may have disks to put in order, be it ready or not; before, there is
  // nobody to hear the button.
  const bool politely = booted_;
  bool answers = false;
  if (politely) answers = co_await press_power_button();
  if (process->running() && !host_.hurry) {
    if (politely) remark("does not power off; shut down by force");
    VmProcess::Operation end = [](Vmm& vmm) { return vmm.shutdown(); };
    co_await attempt("shutdown", std::move(end), answers ? kAnswerWithin : kLastAnswerWithin);
    const auto is_over = [this, process] { return host_.hurry || !process->running(); };
    co_await host_.changes.until(is_over, Clock::now() + kShutdownWithin);
  }
  if (process->running()) {
    remark("does not end; killed");
    ++kills_;
    process->kill();
    co_await process->ended(Clock::now() + kShutdownWithin);
  }
  process->close();
  process_.reset();
}

}  // namespace launcher
