// Where the programs are that the launcher starts, and what short-lived ones say.
//
// Threads: the event loop's. Errors: LaunchError naming the option that helps.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "process/task.h"

namespace launcher {

// `given` by an option, or beside this program, or on PATH or in the sbin directories.
std::filesystem::path find_program(const std::string& name, const std::filesystem::path& given,
                                   const std::string& option);

struct ToolResult {
  bool succeeded = false;
  std::string output;
  std::string error;
};

Task<ToolResult> run_tool(boost::asio::io_context& loop, std::vector<std::string> arguments);

// What programs are started with; nothing of the launcher's own environment goes to a VMM.
std::vector<std::string> plain_environment(const std::filesystem::path& home);

}  // namespace launcher
