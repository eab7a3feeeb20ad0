#include "runtime/vm.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/error.h"
#include "vmm/device_names.h"

namespace launcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Above cloud-hypervisor's own 60 s, which it may spend waiting for a vhost-user socket.
constexpr seconds kBootWithin{90};
constexpr std::chrono::milliseconds kEndWithin{500};
constexpr seconds kAnswerWithin{10};
constexpr seconds kShutdownWithin{10};
constexpr seconds kHotplugWithin{90};

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
      backoff_(config_.restart) {}

void Vm::change(VmState state) {
  state_ = state;
  host_.changes.notify();
}

void Vm::remark(const std::string& text) {
  host_.progress.say(name(), text);
  log_.write(kRemark + text + "\n");
}

void Vm::fail(const std::string& why) const {
  const std::string prefix = name() + ": ";
  throw LaunchError(why.starts_with(prefix) ? why : prefix + why);
}

std::string Vm::interruption() const {
  if (!abandoned_.empty()) return abandoned_;
  return wanted_ ? "" : "stopped while it started";
}

Task<> Vm::start() {
  if (wanted_) fail(std::string("is ") + name_of(state_) + " already");
  wanted_ = true;
  abandoned_.clear();
  backoff_ = Backoff(config_.restart);
  std::string failure;
  try {
    co_await bring_up();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (!failure.empty()) {
    change(VmState::stopping);
    co_await end_process(false);
    co_await resources_.release(true);
    wanted_ = false;
    reason_ = failure;
    change(VmState::failed);
    fail(failure);
  }
  supervised_ = true;
  auto supervision = supervise();
  boost::asio::co_spawn(host_.loop, std::move(supervision), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

Task<> Vm::bring_up() {
  change(VmState::starting);
  const VmSpec spec = co_await resources_.prepare();
  if (const std::string reason = interruption(); !reason.empty()) throw LaunchError(reason);
  process_ = std::make_unique<VmProcess>(host_, config_, spec, resources_.user(), console_, log_);
  const auto& user = resources_.user();
  remark(std::string("started, ") + host_.find_driver(config_.vmm).name + ", process id " +
         std::to_string(process_->pid()) +
         (user ? ", user " + std::to_string(user->uid) : std::string()));
  VmProcess::Operation boot = [](Vmm& vmm) { return vmm.boot(); };
  std::function<std::string()> interrupted = [this] { return interruption(); };
  std::string what = "boot";
  std::exception_ptr error;
  try {
    co_await process_->run(std::move(what), std::move(boot), kBootWithin, std::move(interrupted));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) co_await explain(error);
  co_await await_ready();
  change(VmState::running);
}

// A VMM that ends closes its sockets first: how it ended says more than that they closed.
Task<> Vm::explain(std::exception_ptr error) {
  const auto deadline = Clock::now() + kEndWithin;
  bool over = false;
  if (interruption().empty()) over = co_await process_->ended(deadline);
  if (over) throw LaunchError(process_->end_text());
  std::rethrow_exception(error);
}

Task<bool> Vm::await_next_try(bool succeeded, milliseconds ran) {
  const bool again = restarts(config_.restart.policy, succeeded);
  const auto delay = backoff_.after(ran);
  co_await end_process(false);
  co_await resources_.release(!again);
  if (!again) {
    wanted_ = false;
    change(succeeded ? VmState::stopped : VmState::failed);
    co_return false;
  }
  change(VmState::backing_off);
  remark("is started again in " + std::to_string(delay.count()) + " ms");
  const auto is_unwanted = [this] { return !wanted_; };
  co_await host_.changes.until(is_unwanted, Clock::now() + delay);
  co_return wanted_;
}

Task<> Vm::supervise() {
  const auto is_over = [this] { return !wanted_ || !process_ || !process_->running(); };
  while (wanted_) {
    co_await host_.changes.until(is_over, Clock::now() + kForever);
    if (!wanted_) break;
    bool succeeded = false;
    milliseconds ran{0};
    if (process_) {
      succeeded = process_->succeeded();
      ran = std::chrono::duration_cast<milliseconds>(Clock::now() - process_->since());
      reason_ = process_->end_text();
    }
    remark("ended by itself: " + reason_);
    const bool again = co_await await_next_try(succeeded, ran);
    if (!again) break;
    ++restarts_;
    std::string failure;
    try {
      co_await bring_up();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) {
      remark("is up again");
    } else {
      reason_ = failure;
      change(VmState::stopping);
      co_await end_process(false);
    }
  }
  supervised_ = false;
  host_.changes.notify();
}

void Vm::abandon(const std::string& reason) {
  if (state_ != VmState::starting || supervised_) return;
  abandoned_ = reason;
  host_.changes.notify();
}

Task<> Vm::stop() {
  const bool was_up = wanted_;
  wanted_ = false;
  host_.changes.notify();
  const auto is_released = [this] { return !supervised_ && state_ != VmState::starting; };
  co_await host_.changes.until(is_released, Clock::now() + kForever);
  if (process_) {
    change(VmState::stopping);
    co_await end_process(true);
    reason_ = "stopped";
  }
  co_await resources_.release(true);
  if (state_ != VmState::failed) change(VmState::stopped);
  if (was_up) remark("stopped");
}

Task<> Vm::attempt(const char* what, VmProcess::Operation operation) {
  std::string problem;
  try {
    std::string name = what;
    std::function<std::string()> never = [] { return std::string(); };
    co_await process_->run(std::move(name), std::move(operation), kAnswerWithin, std::move(never));
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty() && process_->running()) remark(std::string(what) + ": " + problem);
}

Task<> Vm::press_power_button() {
  if (!process_->running()) co_return;
  remark("power button pressed");
  VmProcess::Operation press = [](Vmm& vmm) { return vmm.power_button(); };
  co_await attempt("power button", std::move(press));
  co_await process_->ended(Clock::now() + config_.power_button_grace);
}

Task<> Vm::end_process(bool politely) {
  if (!process_) co_return;
  if (politely) co_await press_power_button();
  if (process_->running()) {
    if (politely) remark("does not power off; shut down by force");
    VmProcess::Operation end = [](Vmm& vmm) { return vmm.shutdown(); };
    co_await attempt("shutdown", std::move(end));
    co_await process_->ended(Clock::now() + kShutdownWithin);
  }
  if (process_->running()) {
    remark("does not end; killed");
    ++kills_;
    process_->kill();
    co_await process_->ended(Clock::now() + kShutdownWithin);
  }
  process_.reset();
}

void Vm::require_running() const {
  if (state_ != VmState::running) fail(std::string("is ") + name_of(state_) + ", not running");
}

std::vector<NetConfig> Vm::nets() const {
  std::vector<NetConfig> nets = config_.nets;
  for (const VmPort& port : resources_.ports()) {
    const auto is_it = [&](const NetConfig& net) {
      return net.segment == port.config.segment && net.mac == port.config.mac;
    };
    if (std::none_of(nets.begin(), nets.end(), is_it)) nets.push_back(port.config);
  }
  return nets;
}

Task<nlohmann::json> Vm::add_net(NetConfig config) {
  require_running();
  const VmNet net = co_await resources_.add_net(config);
  std::exception_ptr failure;
  try {
    VmProcess::Operation add = [net](Vmm& vmm) { return vmm.add_net(net); };
    std::function<std::string()> interrupted = [this] { return interruption(); };
    std::string what = "add-net";
    co_await process_->run(std::move(what), std::move(add), kHotplugWithin, std::move(interrupted));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::string id = net.id;
    co_await resources_.remove_net(std::move(id));
    std::rethrow_exception(failure);
  }
  remark(net.id + " added on segment " + config.segment + ", MAC " + net.mac);
  co_return nlohmann::json{{"id", net.id}, {"mac", net.mac}, {"segment", config.segment}};
}

Task<nlohmann::json> Vm::add_device(std::string device) {
  require_running();
  for (const std::string& one : resources_.devices()) {
    if (one == device) fail("has " + device + " already");
  }
  const std::string address = co_await resources_.take_device(std::move(device));
  const auto id = std::make_shared<std::string>();
  VmProcess::Operation add = [address, id](Vmm& vmm) -> Task<> {
    *id = co_await vmm.add_device(address);
  };
  std::function<std::string()> interrupted = [this] { return interruption(); };
  std::string what = "add-device";
  std::exception_ptr failure;
  try {
    co_await process_->run(std::move(what), std::move(add), kHotplugWithin, std::move(interrupted));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::string copy = address;
    co_await resources_.give_back_device(std::move(copy));
    std::rethrow_exception(failure);
  }
  remark(address + " added as " + *id);
  co_return nlohmann::json{{"id", *id}, {"address", address}};
}

Task<> Vm::remove_device(std::string id) {
  require_running();
  VmProcess::Operation remove = [id](Vmm& vmm) { return vmm.remove(id); };
  std::function<std::string()> interrupted = [this] { return interruption(); };
  std::string what = "remove-device";
  co_await process_->run(std::move(what), std::move(remove), kHotplugWithin,
                         std::move(interrupted));
  co_await resources_.remove_net(id);
  const std::vector<std::string> devices = resources_.devices();
  for (const std::string& address : devices) {
    if (device_id(address) != id) continue;
    std::string copy = address;
    co_await resources_.give_back_device(std::move(copy));
  }
  remark(id + " removed");
}

}  // namespace launcher
