// vfio-setup: finds the NIC, checks that it can be passed to a VM, gives it to vfio-pci and back.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "commands.h"
#include "watcher.h"

namespace {

using namespace vfio_setup;

constexpr int kUsageStatus = 2;

int run(const CommandContext& context) {
  using Command = int (*)(const CommandContext&);
  static const std::map<std::string, Command> commands{
      {"list", list_command},       {"check", check_command},     {"bind", bind_command},
      {"confirm", confirm_command}, {"restore", restore_command}, {"claim", claim_command},
      {"is-at", is_at_command},
  };
  return commands.at(context.options.command)(context);
}

}  // namespace

int main(int argc, char** argv) try {
  spdlog::set_default_logger(spdlog::stderr_color_st("vfio-setup"));
  spdlog::set_pattern("vfio-setup: %^%l%$: %v");
  const Options options = parse_options(argc, argv);
  const Paths paths;
  if (options.help) {
    std::cout << usage();
    return EXIT_SUCCESS;
  }
  if (options.version) {
    std::cout << "vfio-setup " SWITCHD_VERSION "\n";
    return EXIT_SUCCESS;
  }
  if (options.command == "watch") return run_watcher(paths, options.address, options.token);
  return run({paths, options, std::cout});
} catch (const vfio_setup::UsageError& error) {
  std::cerr << "vfio-setup: " << error.what() << "\n" << vfio_setup::usage();
  return kUsageStatus;
} catch (const std::exception& error) {
  spdlog::error("{}", error.what());
  return EXIT_FAILURE;
}
