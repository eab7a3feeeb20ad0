#include "control/privileges.h"

#include <cap-ng.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace control {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void limit_process() {
  umask(0077);
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) fail("setrlimit(RLIMIT_CORE)");
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("getrlimit(RLIMIT_NOFILE)");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("setrlimit(RLIMIT_NOFILE)");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("prctl(PR_SET_NO_NEW_PRIVS)");
}

std::vector<gid_t> socket_groups(const Configuration& configuration) {
  std::vector<gid_t> groups;
  if (configuration.control_socket_group) groups.push_back(*configuration.control_socket_group);
  for (const PortConfig& port : configuration.ports) {
    if (port.settings.access.group) groups.push_back(*port.settings.access.group);
  }
  return groups;
}

void become(const Identity& identity, const std::vector<gid_t>& extra_groups) {
  if (geteuid() == identity.uid) return;
  std::vector<gid_t> groups = identity.groups;
  groups.insert(groups.end(), extra_groups.begin(), extra_groups.end());
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  if (setgroups(groups.size(), groups.data()) != 0) fail("setgroups");
  capng_clear(CAPNG_SELECT_BOTH);
  const int result = capng_change_id(static_cast<int>(identity.uid), static_cast<int>(identity.gid),
                                     CAPNG_CLEAR_BOUNDING);
  if (result != 0) {
    throw std::runtime_error("cannot become user " + std::to_string(identity.uid) +
                             " (libcap-ng error " + std::to_string(result) + ")");
  }
  // There must be no way back.
  if (setuid(0) == 0) throw std::runtime_error("privileges came back after they were dropped");
}

}  // namespace control
