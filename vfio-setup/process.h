// Running the system's own tools (modprobe, ip, udevadm), where they know better.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace vfio_setup {

struct ToolResult {
  int status = 127;    // 127: there is no such tool
  std::string output;  // what it printed: a warning among names or JSON would spoil them
  std::string error;   // what it said beside that
};

// From the system's directories only, whatever PATH says.
ToolResult run_tool(const std::string& tool, const std::vector<std::string>& arguments);

// A test puts its own in the place of the system's tools; returns what was there.
using ToolRunner =
    std::function<ToolResult(const std::string& tool, const std::vector<std::string>& arguments)>;
ToolRunner exchange_tool_runner(ToolRunner runner);

// Throws with the tool's own words unless it ends with 0.
std::string require_tool(const std::string& tool, const std::vector<std::string>& arguments);

bool tool_exists(const std::string& tool);

}  // namespace vfio_setup
