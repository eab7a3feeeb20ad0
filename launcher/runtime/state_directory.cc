#include "runtime/state_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/accounts.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

[[noreturn]] void fail(const fs::path& path) {
  throw LaunchError(path.string() + ": " + std::strerror(errno));
}

void make(const fs::path& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail(path);
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) fail(path);
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != geteuid()) {
    throw LaunchError(path.string() + ": is not a directory of this user; remove it");
  }
  if (chmod(path.c_str(), mode) != 0) fail(path);  // whatever the umask says
}

// VMs' users pass through those that are made here; the umask may say otherwise.
void make_parents(const fs::path& path) {
  if (path.empty() || fs::exists(path)) return;
  make_parents(path.parent_path());
  make(path, kPassThrough);
}

// The first directory on the way to `path` that stops the user is named.
void check_way(const fs::path& path, const Credentials& user) {
  if (may_access(user, path, X_OK)) return;
  fs::path step;
  for (const fs::path& name : path) {
    step /= name;
    if (may_access(user, step, X_OK)) continue;
    throw LaunchError(step.string() + ": user " + std::to_string(user.uid) +
                      " may not pass through it to " + path.string() + "; chmod o+x " +
                      step.string() + ", or give another --state-dir");
  }
}

}  // namespace

fs::path launcher_directory() {
  if (geteuid() == 0) return "/run/launcher";
  const std::string user = environment("XDG_RUNTIME_DIR");
  if (user.empty()) {
    throw LaunchError(
        "XDG_RUNTIME_DIR is not set, so there is no default place for a running "
        "topology; set it, or name one with --state-dir");
  }
  return fs::path(user) / "launcher";
}

fs::path record_directory() {
  if (geteuid() == 0) return "/var/lib/launcher";
  const std::string state = environment("XDG_STATE_HOME");
  if (!state.empty()) return fs::path(state) / "launcher";
  return fs::path(environment("HOME")) / ".local/state/launcher";
}

fs::path lock_directory() {
  // Without a place of its own an ordinary user gives --state-dir.
  const bool has_own = geteuid() == 0 || !environment("XDG_RUNTIME_DIR").empty();
  const fs::path parent =
      has_own ? launcher_directory() : fs::path("/tmp/launcher-" + std::to_string(geteuid()));
  make_parents(parent.parent_path());
  make(parent, has_own ? kPassThrough : 0700);
  make(parent / ".locks", 0700);
  return parent / ".locks";
}

StateDirectory::StateDirectory(fs::path path, const std::string& topology_file)
    : path_(std::move(path)) {
  make_parents(path_.parent_path());
  make(path_, kPassThrough);
  lock_.emplace(path_ / "lock",
                "launcher with process id " + std::to_string(getpid()) + " (" + topology_file + ")",
                path_.string() + ": this topology",
                "use launcher start, stop and down, or end that one first");
  clear(true);
  for (const char* name : {"vm", "switch"}) make(path_ / name, kPassThrough);
  for (const char* name : {"console", "log"}) make(path_ / name, 0700);
}

StateDirectory::~StateDirectory() {
  clear(!keeps_logs_);
  std::error_code error;
  lock_.reset();
  fs::remove(path_, error);  // not when logs are kept, or devices could not be given back
}

void StateDirectory::clear(bool all) const {
  std::error_code error;
  for (const char* name : {"vm", "switch", "console", "control.sock"}) {
    fs::remove_all(path_ / name, error);
  }
  if (all) fs::remove_all(path_ / "log", error);
}

void StateDirectory::make_private(const fs::path& path, mode_t mode,
                                  const std::optional<Credentials>& owner) {
  std::error_code error;
  fs::remove_all(path, error);
  if (mkdir(path.c_str(), 0700) != 0) fail(path);
  if (owner && chown(path.c_str(), owner->uid, owner->gid) != 0) fail(path);
  if (chmod(path.c_str(), mode) != 0) fail(path);
  if (owner) check_way(path, *owner);
}

}  // namespace launcher
