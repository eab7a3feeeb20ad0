// The command line of switchd (Boost.Program_options). Every setting of the configuration file is
// also an option: those of [switch] by name, those of a port as --key NAME=VALUE. Options override
// the file, and no file is needed.
//
// Threads: main thread. Errors: ConfigError naming the option.
#pragma once

#include <optional>
#include <string>

#include "control/configuration.h"

namespace control {

struct CommandLine {
  enum class Action { run, check_config, show_help, show_version };
  Action action = Action::run;
  Configuration configuration;  // complete when the action is run or check_config
  std::optional<int> ready_fd;
};

CommandLine parse_command_line(int argc, const char* const argv[]);

std::string help_text();

}  // namespace control
