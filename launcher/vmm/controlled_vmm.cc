#include "vmm/controlled_vmm.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "vmm/device_names.h"

namespace launcher {
namespace {

template <typename T>
Vmm::Task<T> named(std::string vm, Vmm::Task<T> operation) {
  try {
    co_return co_await std::move(operation);
  } catch (const std::exception& error) {
    throw VmmError(vm + ": " + error.what());
  }
}

}  // namespace

Vmm::Task<void> ControlledVmm::boot() {
  return named(spec_.name, start_and_boot());
}

Vmm::Task<void> ControlledVmm::power_button() {
  return named(spec_.name, press_power_button());
}

Vmm::Task<void> ControlledVmm::shutdown() {
  return named(spec_.name, stop());
}

Vmm::Task<void> ControlledVmm::reboot() {
  return named(spec_.name, reset());
}

Vmm::Task<void> ControlledVmm::add_net(const VmNet& net) {
  return named(spec_.name, attach(net));
}

Vmm::Task<void> ControlledVmm::attach(VmNet net) {
  require_port_socket(net.socket);
  co_await plug(std::move(net));
}

Vmm::Task<std::string> ControlledVmm::add_device(const std::string& pci_address) {
  return named(spec_.name, pass(pci_address));
}

Vmm::Task<std::string> ControlledVmm::pass(std::string pci_address) {
  std::string id = device_id(pci_address);
  co_await plug_device(std::move(pci_address));
  co_return id;
}

Vmm::Task<void> ControlledVmm::remove(const std::string& id) {
  return named(spec_.name, let_go(id));
}

Vmm::Task<void> ControlledVmm::let_go(std::string id) {
  const auto removed = removals_.expect(id);  // the event may come before the answer
  std::string unplugged = id, cleaned = id;
  co_await unplug(std::move(unplugged));
  const auto event = co_await removals_.wait(removed, limits_.removal);
  if (!event && removals_.ended()) {
    throw VmmError(std::string(vmm_name()) + " ended before " + id + " was removed");
  }
  if (!event) {
    throw VmmError("the guest has not let go of " + id + " in time; it may still do so");
  }
  co_await clean_up(std::move(cleaned));
}

Vmm::Task<void> ControlledVmm::forget(const std::string& id) {
  return named(spec_.name, clean_up(id));
}

void ControlledVmm::process_ended() {
  life_->ended = true;
  removals_.end();
}

void ControlledVmm::tell(const VmmEvent& event) {
  if (event.kind == VmmEvent::Kind::device_removed) removals_.meet(event.detail, {});
  report(event);
}

}  // namespace launcher
