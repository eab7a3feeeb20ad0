#include "vmm/qemu/driver.h"

#include <boost/asio/use_awaitable.hpp>

#include "vmm/qemu/command_line.h"
#include "vmm/qemu/devices.h"
#include "vmm/qemu/events.h"

namespace launcher {

namespace {

std::filesystem::path socket_of(const VmSpec& spec) {
  return spec.directory / "qmp.sock";
}

}  // namespace

Qemu::Qemu(boost::asio::io_context& loop, const VmSpec& spec, const VmmLimits& limits)
    : ControlledVmm(loop, spec, limits),
      loop_(loop),
      qmp_(std::make_shared<qemu::QmpSession>(
          loop, [this](const nlohmann::json& event) { take(event); })) {
  for (const VmNet& net : spec_.nets) nets_.insert(net.id);
}

Qemu::~Qemu() {
  qmp_->close();
}

Vmm::Task<void> Qemu::prepare() {
  accelerator_ = co_await qemu::choose_accelerator(loop_, spec_.program, spec_.user);
}

std::vector<std::string> Qemu::command() const {
  return qemu::command_line(spec_, accelerator_, socket_of(spec_));
}

Vmm::Task<void> Qemu::start_and_boot() {
  const std::filesystem::path socket = socket_of(spec_);
  const std::string go = "cont";
  co_await qmp_->open(socket, limits_.start, limits_.connecting, life_);
  co_await call(go);
  report({VmmEvent::Kind::booted, "QEMU with " + std::string(name_of(accelerator_))});
}

Vmm::Task<void> Qemu::press_power_button() {
  return call("system_powerdown");
}

// It may be gone before its answer is.
Vmm::Task<void> Qemu::stop() {
  const std::string command = "quit";
  try {
    co_await call(command);
  } catch (const VmmError&) {
    if (!qmp_->ended()) throw;
  }
}

Vmm::Task<void> Qemu::reset() {
  return call("system_reset");
}

Vmm::Task<void> Qemu::call(std::string command) {
  qemu::Command words{std::move(command), {}};
  co_await call(std::move(words), limits_.quick);
}

Vmm::Task<void> Qemu::call(qemu::Command command, std::chrono::milliseconds limit) {
  co_await qmp_->execute(std::move(command), limit);
}

Vmm::Task<void> Qemu::call_all(std::vector<qemu::Command> commands) {
  for (const qemu::Command& command : commands) co_await call(command, limits_.connecting);
}

// Each of them, whatever becomes of the others.
Vmm::Task<void> Qemu::try_all(std::vector<qemu::Command> commands) {
  for (const qemu::Command& command : commands) {
    try {
      co_await call(command, limits_.quick);
    } catch (const VmmError&) {
      // It was not there.
    }
  }
}

Vmm::Task<void> Qemu::plug(VmNet net) {
  std::vector<qemu::Command> commands = qemu::add_net(net, accelerator_);
  std::vector<qemu::Command> undoing = qemu::undo_add_net(net.id);
  std::exception_ptr error;
  if (nets_.contains(net.id)) throw VmmError("there is an interface " + net.id + " already");
  try {
    co_await call_all(std::move(commands));
  } catch (const VmmError&) {
    error = std::current_exception();
  }
  if (error) {
    co_await try_all(std::move(undoing));
    std::rethrow_exception(error);
  }
  nets_.insert(net.id);
}

Vmm::Task<void> Qemu::plug_device(std::string pci_address) {
  qemu::Command command{"device_add", qemu::pci_device(pci_address)};
  co_await call(std::move(command), limits_.connecting);
}

Vmm::Task<void> Qemu::unplug(std::string id) {
  qemu::Command command{"device_del", {{"id", id}}};
  co_await call(std::move(command), limits_.quick);
}

Vmm::Task<void> Qemu::clean_up(std::string id) {
  if (nets_.erase(id) == 0) co_return;
  qemu::Command backend = qemu::remove_backend(id);
  co_await call(std::move(backend), limits_.quick);
}

void Qemu::take(const nlohmann::json& message) {
  for (const VmmEvent& event : qemu::to_events(message)) tell(event);
}

}  // namespace launcher
