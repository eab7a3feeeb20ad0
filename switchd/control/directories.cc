#include "control/directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "client/default_paths.h"

namespace control {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOpen = 0755;
constexpr mode_t kPrivate = 0700;

[[noreturn]] void fail(const fs::path& path, const std::string& remedy) {
  throw ConfigError(
      "directory " + path.string(),
      std::system_error(errno, std::generic_category()).code().message() + "; " + remedy);
}

// Root makes directories for the user it is about to become.
void hand_over(const fs::path& path, const Identity& identity) {
  if (geteuid() == identity.uid) return;
  if (chown(path.c_str(), identity.uid, identity.gid) != 0) {
    fail(path, "give it to the user of the switch, or choose another");
  }
}

bool is_ours(const fs::path& path) {
  try {
    if (path == client::run_directory()) return true;
  } catch (const client::PathError&) {
  }
  try {
    return path == client::state_directory();
  } catch (const client::PathError&) {
    return false;
  }
}

void prepare(const fs::path& path, mode_t mode, const Identity& identity) {
  const bool ours = is_ours(path);
  std::error_code ignored;
  if (ours) fs::create_directories(path.parent_path(), ignored);
  const bool made = mkdir(path.c_str(), mode) == 0;
  if (!made && errno != EEXIST) fail(path, "create it, or choose another");
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) fail(path, "create it, or choose another");
  if (!made && !S_ISDIR(facts.st_mode) && !fs::is_directory(path, ignored)) {
    errno = ENOTDIR;
    fail(path, "choose another");
  }
  if (made || (ours && facts.st_uid == geteuid())) hand_over(path, identity);
}

}  // namespace

void prepare_directories(const Configuration& configuration, const Identity& identity) {
  prepare(configuration.control_socket.parent_path(), kOpen, identity);
  prepare(configuration.socket_dir, kOpen, identity);
  prepare(configuration.switching.runtime_dir, kPrivate, identity);
  if (!configuration.state_file) return;
  try {
    prepare(configuration.state_file->parent_path(), kPrivate, identity);
  } catch (const ConfigError&) {
    // A default place that cannot be had matters only once something is to be kept there.
    if (configuration.origins.count("state_file") != 0) throw;
  }
}

}  // namespace control
