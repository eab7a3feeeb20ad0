// What the files of a persistent binding run at boot. No state file is there in an initramfs:
// the records come as words. Beside stderr, the kernel's log is told, which is never lost.
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "card.h"
#include "commands.h"
#include "device_binder.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

constexpr const char* kError = "<3>";  // KERN_ERR
constexpr const char* kWarning = "<4>";

void tell(const Paths& paths, const char* level, const std::string& text) {
  spdlog::log(level == kError ? spdlog::level::err : spdlog::level::warn, "{}", text);
  try {
    write_attribute(paths.dev() / "kmsg", level + ("vfio-setup: " + text + "\n"));
  } catch (const std::exception&) {
    // stderr has it.
  }
}

bool claim(const Paths& paths, const SavedDevice& device) {
  const Place place = find_card(paths, device);
  if (place.address.empty()) {
    tell(paths, kError,
         describe(device, place) + ": nothing is bound for it. `vfio-setup restore " +
             device.address + "` forgets it; bind --persist again where it is meant to be");
    return false;
  }
  if (!place.difference.empty()) tell(paths, kWarning, describe(device, place) + ": bound there");
  DeviceBinder(paths).set_override(place.address, "vfio-pci");
  return true;
}

}  // namespace

int claim_command(const CommandContext& context) {
  bool all = true;
  for (const std::string& word : context.options.words) {
    try {
      all = claim(context.paths, device_of(word)) && all;
    } catch (const std::exception& error) {  // one keeps no other
      tell(context.paths, kError, error.what());
      all = false;
    }
  }
  return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

int is_at_command(const CommandContext& context) {
  const std::string& wanted = context.options.words.at(0);
  const Place place = find_card(context.paths, device_of(context.options.words.at(1)));
  if (place.address.empty()) return EXIT_FAILURE;
  const std::string group = link_name(context.paths.pci_device(place.address) / "iommu_group");
  return place.address == wanted || group == wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace vfio_setup
