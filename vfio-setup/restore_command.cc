#include <spdlog/spdlog.h>

#include <stdexcept>
#include <utility>

#include "bind_plan.h"
#include "card.h"
#include "commands.h"
#include "device_binder.h"
#include "persistence.h"
#include "process.h"
#include "restore.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

// A function on vfio-pci that no record tells of: to whatever driver the kernel finds for it.
void restore_unrecorded(const Paths& paths, const std::string& address) {
  const DeviceBinder binder(paths);
  if (!binder.is_present(address)) throw std::runtime_error("there is no PCI device " + address);
  if (binder.driver_of(address) != "vfio-pci") {
    throw std::runtime_error(address + " was not bound by vfio-setup, and is not at vfio-pci");
  }
  binder.set_override(address, "");
  binder.unbind(address);
  const auto modalias = read_attribute(paths.pci_device(address) / "modalias").value_or("");
  for (const std::string& module : modules_for(modalias)) run_tool("modprobe", {module});
  if (binder.driver_of(address).empty()) {
    write_attribute(paths.sys() / "bus/pci/drivers_probe", address);
  }
}

// True when all of it went back, and that is on record.
bool restore_one(const CommandContext& context, std::string address) try {
  State state = StateFile(context.paths).load();
  Restored result;
  Binding* binding =
      context.options.all ? state.find(address) : find_binding(context.paths, state, address);
  if (binding == nullptr) {
    restore_unrecorded(context.paths, address);
  } else {
    follow(context.paths, *binding);
    if (!binding->covers(address)) address = binding->address;
    const auto when_held = context.options.force ? WhenHeld::end_holders : WhenHeld::refuse;
    result = restore_binding(context.paths, std::move(state), address, when_held);
  }
  for (const std::string& warning : result.warnings) spdlog::warn("{}", warning);
  for (const std::string& failure : result.failures) spdlog::error("{}", failure);
  if (!result.failures.empty()) return false;
  const std::string driver = DeviceBinder(context.paths).driver_of(address);
  context.out << address << ": back at " << (driver.empty() ? "no driver" : "driver " + driver)
              << "\n";
  return result.is_written;
} catch (const std::exception& error) {
  spdlog::error("{}", error.what());
  return false;
}

}  // namespace

int restore_command(const CommandContext& context) {
  const StateLock lock(context.paths);
  bool all_back = true;
  if (context.options.all) {
    const State state = StateFile(context.paths).load();
    for (const Binding& binding : state.bindings) {
      all_back = restore_one(context, binding.address) && all_back;
    }
  } else {
    all_back = restore_one(context, full_address(context.options.address));
  }
  return all_back ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace vfio_setup
