#include "runtime/programs.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "process/child_process.h"
#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLongestTool{150};
constexpr const char* kSystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

bool is_program(const fs::path& path) {
  return fs::is_regular_file(path) && access(path.c_str(), X_OK) == 0;
}

std::vector<fs::path> directories(const std::string& name) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  // Installed beside each other, and in the build tree.
  std::vector<fs::path> found = {own, own / "../sbin", own / ".." / name};
  const char* path = std::getenv("PATH");
  std::string rest = std::string(path != nullptr ? path : "") + ":" + kSystemPath;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    if (colon != 0) found.emplace_back(rest.substr(0, colon));
    rest.erase(0, colon == std::string::npos ? colon : colon + 1);
  }
  return found;
}

std::string read_all(int fd) {
  std::string text;
  char part[4096];
  lseek(fd, 0, SEEK_SET);
  for (ssize_t length = 0; (length = read(fd, part, sizeof part)) > 0;) {
    text.append(part, static_cast<size_t>(length));
  }
  return text;
}

}  // namespace

fs::path find_program(const std::string& name, const fs::path& given, const std::string& option) {
  if (!given.empty()) {
    if (is_program(given)) return fs::absolute(given);
    throw LaunchError(option + ": " + given.string() + " is no program");
  }
  for (const fs::path& directory : directories(name)) {
    if (is_program(directory / name)) return fs::absolute(directory / name).lexically_normal();
  }
  throw LaunchError("there is no program '" + name + "' on PATH; install it, or name it with " +
                    option);
}

std::vector<std::string> plain_environment(const fs::path& home) {
  return {std::string("PATH=") + kSystemPath, "HOME=" + home.string(), "TMPDIR=" + home.string(),
          "LANG=C.UTF-8"};
}

Task<ToolResult> run_tool(boost::asio::io_context& loop, std::vector<std::string> arguments) {
  const FileDescriptor output(memfd_create("output", MFD_CLOEXEC));
  const FileDescriptor error(memfd_create("error", MFD_CLOEXEC));
  ChildOptions options;
  options.arguments = std::move(arguments);
  options.environment = plain_environment("/");
  options.output = output.get();
  options.error = error.get();
  ChildProcess child(loop, options);
  Changes changes(loop);
  child.on_end([&changes] { changes.notify(); });
  const auto ended = [&child] { return !child.running(); };
  const bool in_time = co_await changes.until(ended, Clock::now() + kLongestTool);
  if (!in_time) throw LaunchError(options.arguments[0] + ": does not end");
  ToolResult result{child.succeeded(), read_all(output.get()), read_all(error.get())};
  co_return result;
}

}  // namespace launcher
