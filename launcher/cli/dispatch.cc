#include "cli/dispatch.h"

#include <iostream>

#include "cli/checks.h"
#include "cli/client_commands.h"
#include "topology/error.h"

namespace launcher {
namespace {

enum ExitStatus { kDone = 0, kFailed = 1, kWrong = 2 };

int run(const Options& options, const FindDriver& find_driver) {
  if (options.help) {
    std::cout << help_text();
    return kDone;
  }
  if (options.version) {
    std::cout << "launcher " << LAUNCHER_VERSION << "\n";
    return kDone;
  }
  if (options.command == "up") return up_command(options, find_driver);
  if (options.command == "run") return run_command(options, find_driver);
  if (options.command == "check") return check_command(options);
  if (options.command == "logs") return logs_command(options);
  if (options.command == "console") return console_command(options);
  return client_command(options);
}

int report(const std::exception& error, ExitStatus status) {
  std::cerr << "launcher: " << error.what() << "\n";
  return status;
}

}  // namespace

int dispatch(int argc, const char* const argv[], const FindDriver& find_driver) {
  try {
    return run(parse_options(argc, argv), find_driver);
  } catch (const UsageError& error) {
    report(error, kWrong);
    std::cerr << "launcher --help explains it\n";
    return kWrong;
  } catch (const TopologyError& error) {
    return report(error, kWrong);
  } catch (const std::exception& error) {
    return report(error, kFailed);
  }
}

}  // namespace launcher
