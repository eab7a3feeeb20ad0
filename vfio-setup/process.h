// Running the system's own tools (modprobe, ip, udevadm), where they know better.
#pragma once

#include <string>
#include <vector>

namespace vfio_setup {

struct ToolResult {
  int status = 127;  // 127: there is no such tool
  std::string output;
};

// From the system's directories only, whatever PATH says; both streams are in `output`.
ToolResult run_tool(const std::string& tool, const std::vector<std::string>& arguments);

// Throws with the tool's own words unless it ends with 0.
std::string require_tool(const std::string& tool, const std::vector<std::string>& arguments);

bool tool_exists(const std::string& tool);

}  // namespace vfio_setup
