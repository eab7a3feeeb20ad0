#include "process.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <boost/process.hpp>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

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

// Of a file that a child has written to by the same open file.
std::string read_from_start(std::FILE* file) {
  std::rewind(file);
  std::string text;
  std::array<char, 4096> piece{};
  std::size_t size = 0;
  while ((size = std::fread(piece.data(), 1, piece.size(), file)) > 0) {
    text.append(piece.data(), size);
  }
  return text;
}

ToolResult run_program(const std::string& tool, const std::vector<std::string>& arguments) {
  const std::string path = find_tool(tool);
  if (path.empty()) return {127, "", "there is no program '" + tool + "'"};
  // Memory takes whatever comes: of two pipes, one could fill up while the other is read.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> said(
      ::fdopen(::memfd_create("stderr", MFD_CLOEXEC), "w+"), &std::fclose);
  if (!said) throw std::system_error(errno, std::generic_category(), "memfd_create");
  bp::ipstream stream;
  bp::child child(bp::exe = path, bp::args = arguments, bp::std_out > stream,
                  bp::std_err > said.get(), bp::std_in < bp::null);
  ToolResult result;
  result.output.assign(std::istreambuf_iterator<char>(stream), {});
  child.wait();
  result.error = read_from_start(said.get());
  result.status = child.exit_code();
  return result;
}

ToolRunner& runner() {
  static ToolRunner current = run_program;
  return current;
}

}  // namespace

bool tool_exists(const std::string& tool) {
  return !find_tool(tool).empty();
}

ToolResult run_tool(const std::string& tool, const std::vector<std::string>& arguments) {
  return runner()(tool, arguments);
}

ToolRunner exchange_tool_runner(ToolRunner runner_of_a_test) {
  return std::exchange(runner(), std::move(runner_of_a_test));
}

std::string require_tool(const std::string& tool, const std::vector<std::string>& arguments) {
  ToolResult result = run_tool(tool, arguments);
  if (result.status == 0) return result.output;
  std::string command = tool;
  for (const std::string& argument : arguments) command += " " + argument;
  throw std::runtime_error("`" + command + "` failed: " + result.error);
}

}  // namespace vfio_setup
