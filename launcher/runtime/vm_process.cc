#include "runtime/vm_process.h"

#include <csignal>
#include <utility>

#include "process/error.h"
#include "runtime/log_tail.h"
#include "runtime/programs.h"
#include "runtime/terminal.h"

namespace launcher {
namespace {

struct Outcome {
  bool done = false;
  std::exception_ptr error;
};

// What a VMM locks besides the guest's memory: buffers of its own, device regions.
constexpr uint64_t kMoreLocked = 1ull << 30;

// Root may lock whatever a device that is added later needs; others only ask when they must.
std::optional<uint64_t> locked_memory(const VmSpec& spec, bool is_root) {
  if (spec.devices.empty() && !is_root) return std::nullopt;
  return spec.memory + kMoreLocked;
}

}  // namespace

void remark_on(const std::string& vm, const std::string& text, Progress& progress, LogFile& log) {
  progress.say(vm, text);
  log.write(kRemark + text + "\n");
}

VmProcess::VmProcess(Host& host, std::shared_ptr<Vmm> vmm, const VmConfig& config,
                     const VmSpec& spec, Console& console, LogFile& log)
    : host_(host),
      name_(spec.name),
      console_(console),
      log_(log),
      vmm_(std::move(vmm)),
      error_(host.loop, log) {
  vmm_->on_event([this](const VmmEvent& event) { on_event(event); });
  Terminal terminal = Terminal::make();
  const FileDescriptor writer = error_.take_writer();
  ChildOptions options;
  options.arguments = vmm_->command();
  options.environment = plain_environment(spec.directory);
  options.directory = spec.directory;
  options.user = spec.user;
  options.input = options.output = terminal.slave.get();
  options.error = writer.get();
  options.locked_memory = locked_memory(spec, spec.user.has_value());
  options.must_lock = !spec.devices.empty();
  process_ = std::make_unique<ChildProcess>(host.loop, options);
  process_->on_end([this] {
    vmm_->process_ended();
    host_.changes.notify();
  });
  console_.connect(std::move(terminal.master), config.ready.console_line,
                   [&changes = host.changes] { changes.notify(); });
}

VmProcess::~VmProcess() {
  close();
}

void VmProcess::close() {
  if (std::exchange(closed_, true)) return;
  vmm_->on_event(nullptr);
  vmm_->process_ended();
  console_.disconnect();
}

void VmProcess::on_event(const VmmEvent& event) {
  std::string text;
  if (event.kind == VmmEvent::Kind::panicked) {
    text = "warning: the guest's kernel panicked " + event.detail;
  }
  if (event.kind == VmmEvent::Kind::rebooting) text = "the guest reboots";
  if (!text.empty()) remark_on(name_, text, host_.progress, log_);
  if (event.kind == VmmEvent::Kind::device_removed && removed_) removed_(event.detail);
  host_.changes.notify();
}

Task<> VmProcess::run(std::string what, Operation operation, std::chrono::milliseconds within,
                      std::function<std::string()> interrupted) {
  const auto outcome = std::make_shared<Outcome>();
  // Where it stays while it runs, with what it captured.
  const auto kept = std::make_shared<Operation>(std::move(operation));
  auto started = (*kept)(*vmm_);
  boost::asio::co_spawn(
      host_.loop, std::move(started),
      [outcome, vmm = vmm_, kept, &changes = host_.changes](const std::exception_ptr& error) {
        outcome->done = true;
        outcome->error = error;
        changes.notify();
      });
  const auto is_over = [this, outcome, &interrupted] {
    return outcome->done || !process_->running() || !interrupted().empty();
  };
  const bool in_time = co_await host_.changes.until(is_over, Clock::now() + within);
  if (outcome->done && !outcome->error) co_return;
  if (const std::string reason = interrupted(); !reason.empty()) throw LaunchError(reason);
  if (!process_->running()) throw LaunchError("the VMM ended: " + end_text());
  if (outcome->error) std::rethrow_exception(outcome->error);
  if (!in_time) {
    throw LaunchError(what + ": the VMM does not answer within " +
                      std::to_string(within.count() / 1000) + " s");
  }
}

Task<bool> VmProcess::ended(Clock::time_point deadline) {
  const auto is_ended = [this] { return !process_->running(); };
  const bool in_time = co_await host_.changes.until(is_ended, deadline);
  co_return in_time;
}

void VmProcess::kill() {
  process_->signal(SIGKILL);
}

std::string VmProcess::end_text() {
  error_.drain();
  const std::string said = last_lines(log_.path(), 3, kRemark);
  return process_->end_text() + (said.empty() ? "" : ": " + said);
}

}  // namespace launcher
