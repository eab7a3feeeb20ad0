#include "group_holders.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <thread>

#include "sysfs.h"

namespace vfio_setup {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Only what is a node of VFIO by its name is looked at: to look at a file on a network that has
// gone with the NIC may take for ever. In another root, the name has something before it.
bool holds(const std::filesystem::path& process, const std::set<dev_t>& nodes) {
  for (const std::string& fd : directory_entries(process / "fd")) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(process / "fd" / fd, error).string();
    if (target.find("/dev/vfio/") == std::string::npos) continue;
    struct stat status {};
    if (::stat((process / "fd" / fd).c_str(), &status) == 0 && S_ISCHR(status.st_mode) &&
        nodes.contains(status.st_rdev)) {
      return true;
    }
  }
  return false;
}

void signal_all(const std::vector<Holder>& holders, int number) {
  for (const Holder& holder : holders) ::kill(holder.pid, number);
}

bool all_gone(const std::function<std::vector<Holder>()>& holders, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holders().empty()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return true;
}

}  // namespace

std::vector<std::filesystem::path> vfio_nodes(const Paths& paths,
                                              const std::vector<std::string>& addresses) {
  std::set<std::filesystem::path> nodes;
  for (const std::string& address : addresses) {
    const std::string group = link_name(paths.pci_device(address) / "iommu_group");
    if (!group.empty()) nodes.insert(paths.dev() / "vfio" / group);
    for (const std::string& name : directory_entries(paths.pci_device(address) / "vfio-dev")) {
      nodes.insert(paths.dev() / "vfio/devices" / name);
    }
  }
  std::erase_if(nodes, [](const auto& node) { return !std::filesystem::exists(node); });
  return {nodes.begin(), nodes.end()};
}

std::vector<Holder> find_holders(const Paths& paths, const std::vector<std::string>& addresses) {
  std::set<dev_t> numbers;
  for (const auto& node : vfio_nodes(paths, addresses)) {
    struct stat status {};
    if (::stat(node.c_str(), &status) == 0) numbers.insert(status.st_rdev);
  }
  std::vector<Holder> holders;
  for (const std::string& pid : directory_entries(paths.proc())) {
    const auto process = paths.proc() / pid;
    struct stat status {};
    if (!is_number(pid) || !holds(process, numbers) || ::stat(process.c_str(), &status) != 0) {
      continue;
    }
    holders.push_back(
        {std::stoi(pid), read_attribute(process / "comm").value_or(""), status.st_uid});
  }
  return holders;
}

void end_holders(const Paths& paths, const std::vector<std::string>& addresses,
                 std::chrono::seconds grace) {
  const auto holders = [&] { return find_holders(paths, addresses); };
  signal_all(holders(), SIGTERM);
  if (all_gone(holders, grace)) return;
  signal_all(holders(), SIGKILL);
  if (all_gone(holders, grace)) return;
  throw std::runtime_error("process " + std::to_string(holders().front().pid) +
                           " holds the device and cannot be ended");
}

}  // namespace vfio_setup
