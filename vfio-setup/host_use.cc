#include "host_use.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "sysfs.h"

namespace vfio_setup {
namespace {

constexpr unsigned long kInterfaceUp = 1;      // IFF_UP
constexpr unsigned long kRouteReject = 0x200;  // RTF_REJECT: an "unreachable" default route

constexpr int kDeepestStack = 8;

const std::regex kPciAddress("[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
const std::regex kNvmeController("nvme[0-9]+");
const std::regex kUsbPath("[0-9]+-[0-9.]+");

std::filesystem::path real_path(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::canonical(path, error);
}

std::string last_component_like(const std::filesystem::path& path, const std::regex& pattern) {
  std::string last;
  for (const auto& part : path) {
    if (std::regex_match(part.string(), pattern)) last = part.string();
  }
  return last;
}

// Interfaces of default routes, of IPv4 and IPv6.
std::set<std::string> default_route_interfaces(const Paths& paths) {
  std::set<std::string> names;
  std::ifstream ipv4(paths.proc() / "net/route");
  for (std::string line; std::getline(ipv4, line);) {
    const auto words = split_words(line);
    if (words.size() > 7 && words[1] == "00000000" && words[7] == "00000000") {
      names.insert(words[0]);
    }
  }
  std::ifstream ipv6(paths.proc() / "net/ipv6_route");
  for (std::string line; std::getline(ipv6, line);) {
    const auto words = split_words(line);
    if (words.size() < 10 || words[0].find_first_not_of('0') != std::string::npos) continue;
    const bool rejects = (std::stoul(words[8], nullptr, 16) & kRouteReject) != 0;
    if (words[1] == "00" && !rejects) names.insert(words[9]);
  }
  return names;
}

// The interface itself or what is stacked on it: a bridge, a bond, a VLAN.
std::string route_through(const Paths& paths, const std::string& interface,
                          const std::set<std::string>& routed, int depth = 0) {
  if (routed.contains(interface)) return interface;
  if (depth == kDeepestStack) return "";
  for (const std::string& entry : directory_entries(paths.net(interface))) {
    if (!entry.starts_with("upper_")) continue;
    const std::string found = route_through(paths, entry.substr(6), routed, depth + 1);
    if (!found.empty()) return found;
  }
  return "";
}

std::string kind_of(const Paths& paths, const std::string& interface) {
  const std::string known = "DEVTYPE=";
  for (const auto& word :
       split_words(read_attribute(paths.net(interface) / "uevent").value_or(""))) {
    if (!word.starts_with(known)) continue;
    const std::string kind = word.substr(known.size());
    if (kind == "bridge" || kind == "bond" || kind == "vlan") return kind;
  }
  return "";
}

std::vector<UpperInterface> read_uppers(const Paths& paths, const std::string& interface,
                                        int depth = 0) {
  std::vector<UpperInterface> uppers;
  for (const std::string& entry : directory_entries(paths.net(interface))) {
    if (!entry.starts_with("upper_")) continue;
    UpperInterface upper{entry.substr(6), kind_of(paths, entry.substr(6)), {}};
    if (upper.kind == "vlan" && depth < kDeepestStack) {
      upper.uppers = read_uppers(paths, upper.name, depth + 1);
    }
    uppers.push_back(std::move(upper));
  }
  return uppers;
}

bool is_valid_beyond_its_link(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto number = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
    return number >> 16 != 0xa9fe && number >> 24 != 127;  // RFC 3927, RFC 1122
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& number = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return !IN6_IS_ADDR_LINKLOCAL(&number) && !IN6_IS_ADDR_LOOPBACK(&number);
}

// One such address of each interface.
std::map<std::string, std::string> read_addresses(const Paths& paths) {
  std::map<std::string, std::string> addresses;
  ifaddrs* all = nullptr;
  if (!paths.are_of_this_machine() || ::getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || !is_valid_beyond_its_link(one->ifa_addr)) continue;
    std::array<char, NI_MAXHOST> text{};
    const auto size = static_cast<socklen_t>(
        one->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    ::getnameinfo(one->ifa_addr, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    addresses.emplace(one->ifa_name, text.data());
  }
  ::freeifaddrs(all);
  return addresses;
}

std::vector<NetInterface> read_interfaces(const Paths& paths) {
  std::vector<NetInterface> interfaces;
  const auto routed = default_route_interfaces(paths);
  const auto addresses = read_addresses(paths);
  for (const std::string& name : directory_entries(paths.net())) {
    const auto device = real_path(paths.net(name) / "device");
    NetInterface interface;
    interface.name = name;
    interface.owner = owning_pci_address(device);
    if (interface.owner.empty()) continue;
    interface.usb_path = last_component_like(device, kUsbPath);
    const std::string flags = read_attribute(paths.net(name) / "flags").value_or("0");
    interface.up = (std::stoul(flags, nullptr, 16) & kInterfaceUp) != 0;
    interface.wireless = std::filesystem::exists(paths.net(name) / "phy80211") ||
                         std::filesystem::exists(paths.net(name) / "wireless");
    interface.default_route = route_through(paths, name, routed);
    if (const auto found = addresses.find(name); found != addresses.end()) {
      interface.address = found->second;
    }
    interface.uppers = read_uppers(paths, name);
    interfaces.push_back(std::move(interface));
  }
  return interfaces;
}

// What each block device is used for, by its name; the source column of mountinfo serves file
// systems such as btrfs whose device number is not that of a block device.
std::map<std::string, std::string> read_block_uses(const Paths& paths) {
  std::map<std::string, std::string> uses;
  std::ifstream mounts(paths.proc() / "self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const auto words = split_words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 7 || words.end() - dash < 3) continue;
    const std::string where = "mounted at " + words[4];
    uses.emplace(words[2], where);
    if (dash[2].starts_with("/dev/")) {
      uses.emplace(std::filesystem::path(dash[2]).filename().string(), where);
    }
  }
  std::ifstream swaps(paths.proc() / "swaps");
  for (std::string line; std::getline(swaps, line);) {
    const auto words = split_words(line);
    if (!words.empty() && words[0].starts_with("/dev/")) {
      uses.emplace(std::filesystem::path(words[0]).filename().string(), "swap");
    }
  }
  return uses;
}

// PCI functions that a block device hangs on. With multipath of its own, an NVMe disk is below
// its subsystem, which links to the controllers it is reached through.
std::set<std::string> owners_of(const std::filesystem::path& block) {
  const std::string owner = owning_pci_address(block);
  if (!owner.empty()) return {owner};
  std::set<std::string> owners;
  std::filesystem::path directory;
  for (const auto& part : block) {
    directory /= part;
    if (!part.string().starts_with("nvme-subsys") || part == "nvme-subsystem") continue;
    for (const std::string& entry : directory_entries(directory)) {
      if (!std::regex_match(entry, kNvmeController)) continue;
      owners.insert(owning_pci_address(real_path(directory / entry)));
    }
  }
  owners.erase("");
  return owners;
}

// Whatever has it as its own: a file system of several disks, a volume manager, an array. Without
// the rights to open it, this is not known.
bool is_taken(const Paths& paths, const std::string& block) {
  const int fd = ::open((paths.dev() / block).c_str(), O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd < 0 && errno == EBUSY;
}

std::vector<std::string> uses_of(const Paths& paths, const std::string& block,
                                 const std::map<std::string, std::string>& known) {
  const auto directory = paths.sys() / "class/block" / block;
  std::vector<std::string> uses;
  auto use = known.find(block);
  if (use == known.end()) use = known.find(read_attribute(directory / "dev").value_or("-"));
  if (use != known.end()) uses.push_back(use->second);
  for (const std::string& holder : directory_entries(directory / "holders")) {
    uses.push_back("part of " + holder);
  }
  return uses;
}

std::vector<StorageUse> read_storage(const Paths& paths) {
  std::vector<StorageUse> storage;
  const auto known = read_block_uses(paths);
  for (const std::string& name : directory_entries(paths.sys() / "class/block")) {
    const auto uses = uses_of(paths, name, known);
    const auto owners = owners_of(real_path(paths.sys() / "class/block" / name));
    const bool is_taken_otherwise = uses.empty() && !owners.empty() && is_taken(paths, name);
    for (const std::string& owner : owners) {
      for (const std::string& use : uses) storage.push_back({owner, name, use});
      if (is_taken_otherwise) storage.push_back({owner, name, "opened by who will not share it"});
    }
  }
  return storage;
}

std::vector<UsbDevice> read_usb(const Paths& paths) {
  constexpr const char* kHubClass = "09";
  std::vector<UsbDevice> devices;
  const auto directory = paths.sys() / "bus/usb/devices";
  for (const std::string& name : directory_entries(directory)) {
    if (!std::regex_match(name, kUsbPath)) continue;  // interfaces have a colon, root hubs "usb1"
    const auto device = directory / name;
    if (read_attribute(device / "bDeviceClass") == kHubClass) continue;
    const std::string ids = read_attribute(device / "idVendor").value_or("") + ":" +
                            read_attribute(device / "idProduct").value_or("");
    devices.push_back({owning_pci_address(real_path(device)), name,
                       read_attribute(device / "product").value_or(ids)});
  }
  return devices;
}

}  // namespace

std::string owning_pci_address(const std::filesystem::path& device) {
  return last_component_like(device, kPciAddress);
}

HostUse read_host_use(const Paths& paths) {
  return {read_interfaces(paths), read_storage(paths), read_usb(paths)};
}

}  // namespace vfio_setup
