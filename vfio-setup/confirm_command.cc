#include <spdlog/spdlog.h>

#include <stdexcept>

#include "commands.h"
#include "persistence.h"
#include "state_file.h"

namespace vfio_setup {

int confirm_command(const CommandContext& context) {
  const StateLock lock(context.paths);
  const StateFile file(context.paths);
  State state = file.load();
  bool any = false;
  for (Binding& binding : state.bindings) {
    if (!binding.confirm) continue;
    if (binding.step != "bound") {
      throw std::runtime_error("the binding of " + binding.address + " was interrupted: run bind " +
                               "again, or `vfio-setup restore " + binding.address + "`");
    }
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
