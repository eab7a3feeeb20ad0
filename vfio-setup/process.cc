#include "process.h"

#include <unistd.h>

#include <boost/process.hpp>
#include <iterator>
#include <stdexcept>

namespace vfio_setup {
namespace {

namespace bp = boost::process;

// Not all of these are in an ordinary user's PATH. Empty when there is no such tool.
std::string find_tool(const std::string& tool) {
  for (const char* directory : {"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"}) {
    const std::string path = std::string(directory) + "/" + tool;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace

bool tool_exists(const std::string& tool) {
  return !find_tool(tool).empty();
}

ToolResult run_tool(const std::string& tool, const std::vector<std::string>& arguments) {
  const std::string path = find_tool(tool);
  if (path.empty()) return {127, "there is no program '" + tool + "'"};
  bp::ipstream stream;
  bp::child child(bp::exe = path, bp::args = arguments, (bp::std_out & bp::std_err) > stream,
                  bp::std_in < bp::null);
  ToolResult result;
  result.output.assign(std::istreambuf_iterator<char>(stream), {});
  child.wait();
  result.status = child.exit_code();
  return result;
}

std::string require_tool(const std::string& tool, const std::vector<std::string>& arguments) {
  ToolResult result = run_tool(tool, arguments);
  if (result.status == 0) return result.output;
  std::string command = tool;
  for (const std::string& argument : arguments) command += " " + argument;
  throw std::runtime_error("`" + command + "` failed: " + result.output);
}

}  // namespace vfio_setup
