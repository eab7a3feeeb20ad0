#include <spdlog/spdlog.h>

#include <stdexcept>

#include "commands.h"
#include "device_binder.h"
#include "persistence.h"
#include "state_file.h"

namespace vfio_setup {

namespace {

// What is confirmed must be there.
void check(const Paths& paths, const Binding& binding) {
  const std::string remedy = ": run bind again, or `vfio-setup restore " + binding.address + "`";
  if (binding.step != "bound") {
    throw std::runtime_error("the binding of " + binding.address + " was interrupted" + remedy);
  }
  if (binding.boot_id != current_boot_id(paths)) {
    throw std::runtime_error(binding.address + " was bound before the last reboot" + remedy);
  }
  for (const SavedDevice& device : binding.devices) {
    if (DeviceBinder(paths).driver_of(device.address) == "vfio-pci") continue;
    throw std::runtime_error(device.address + " is not at vfio-pci any more" + remedy);
  }
}

}  // namespace

int confirm_command(const CommandContext& context) {
  const StateLock lock(context.paths);
  const StateFile file(context.paths);
  State state = file.load();
  bool any = false;
  for (Binding& binding : state.bindings) {
    if (!binding.confirm) continue;
    check(context.paths, binding);
    any = true;
    binding.persistent |= binding.confirm->persist;
    binding.confirm.reset();
    context.out << binding.address << ": stays with vfio-pci\n";
  }
  if (!any) throw std::runtime_error("nothing waits to be confirmed");
  file.save(state);
  for (const std::string& warning : Persistence(context.paths).apply(state)) {
    spdlog::warn("{}", warning);
  }
  return EXIT_SUCCESS;
}

}  // namespace vfio_setup
