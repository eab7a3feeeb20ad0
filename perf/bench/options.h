// The command line of switch-bench: `run` and `live`.
#pragma once

#include <optional>
#include <string>

#include "bench/measurement.h"

namespace bench {

struct CommandLine {
  enum class Command { help, run, live };
  Command command = Command::help;
  std::string help;  // what to print for Command::help

  MeasurementOptions measurement;
  std::string probe = "none";
  std::string vppctl = "vppctl";
  std::string json_file;       // empty: none
  std::string control_socket;  // live
};

// Errors: BenchError, or what Boost.Program_options throws: both name the option.
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace bench
