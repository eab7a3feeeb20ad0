#include "vmm/qemu/driver.h"

#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "vmm/device_names.h"
#include "vmm/named.h"
#include "vmm/qemu/command_line.h"
#include "vmm/qemu/devices.h"
#include "vmm/qemu/events.h"

namespace launcher {

namespace {

std::filesystem::path socket_of(const VmSpec& spec) {
  return spec.directory / "qmp.sock";
}

}  // namespace

Qemu::Qemu(boost::asio::io_context& loop, const VmSpec& spec, const Limits& limits)
    : spec_(spec),
      limits_(limits),
      accelerator_(qemu::choose_accelerator(spec.program)),
      qmp_(std::make_shared<qemu::QmpSession>(
          loop, [this](const nlohmann::json& event) { take(event); })),
      removals_(loop) {
  for (const VmNet& net : spec_.nets) nets_.insert(net.id);
}

Qemu::~Qemu() {
  qmp_->close();
}

std::vector<std::string> Qemu::command() const {
  return qemu::command_line(spec_, accelerator_, socket_of(spec_));
}

Vmm::Task<void> Qemu::boot() {
  return named(spec_.name, start_and_boot());
}

Vmm::Task<void> Qemu::start_and_boot() {
  const std::filesystem::path socket = socket_of(spec_);
  const std::string go = "cont";
  co_await qmp_->open(socket, limits_.start, limits_.connecting, life_);
  co_await call(go);
  report({VmmEvent::Kind::booted, "QEMU with " + std::string(name_of(accelerator_))});
}

Vmm::Task<void> Qemu::power_button() {
  return named(spec_.name, call("system_powerdown"));
}
Vmm::Task<void> Qemu::reboot() {
  return named(spec_.name, call("system_reset"));
}
Vmm::Task<void> Qemu::shutdown() {
  return named(spec_.name, quit());
}

// It may be gone before its answer is.
Vmm::Task<void> Qemu::quit() {
  const std::string command = "quit";
  try {
    co_await call(command);
  } catch (const VmmError&) {
    if (!qmp_->ended()) throw;
  }
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

Vmm::Task<void> Qemu::add_net(const VmNet& net) {
  return named(spec_.name, attach(net));
}

Vmm::Task<void> Qemu::attach(VmNet net) {
  require_port_socket(net.socket);
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

Vmm::Task<std::string> Qemu::add_device(const std::string& pci_address) {
  return named(spec_.name, pass(pci_address));
}

Vmm::Task<std::string> Qemu::pass(std::string pci_address) {
  qemu::Command command{"device_add", qemu::pci_device(pci_address)};
  co_await call(std::move(command), limits_.connecting);
  co_return device_id(pci_address);
}

Vmm::Task<void> Qemu::remove(const std::string& id) {
  return named(spec_.name, let_go(id));
}

Vmm::Task<void> Qemu::let_go(std::string id) {
  const auto removed = removals_.expect(id);
  qemu::Command command{"device_del", {{"id", id}}};
  co_await call(std::move(command), limits_.quick);
  const auto event = co_await removals_.wait(removed, limits_.removal);
  if (!event && removals_.ended()) throw VmmError("QEMU ended before " + id + " was removed");
  if (!event) {
    throw VmmError("the guest has not let go of " + id + " in time; it may still do so");
  }
  qemu::Command backend = qemu::remove_backend(id);
  if (nets_.erase(id) > 0) co_await call(std::move(backend), limits_.quick);
}

void Qemu::process_ended() {
  life_->ended = true;
  removals_.end();
}

void Qemu::take(const nlohmann::json& message) {
  for (const VmmEvent& event : qemu::to_events(message)) {
    if (event.kind == VmmEvent::Kind::device_removed) removals_.meet(event.detail, {});
    report(event);
  }
}

}  // namespace launcher
