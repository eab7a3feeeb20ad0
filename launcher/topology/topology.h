// What the operator wants to run: switches, VMs and how they hang together. Plain values, checked
// as a whole when the file was read (topology_file.h); nothing here knows how a VM is run.
//
// Units: memory in bytes, times in std::chrono. Threads: plain values.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace launcher {

// Six octets as "02:...": locally administered and individual (IEEE 802-2014, 8.4) when made here.
using MacText = std::string;

enum class VmmKind { cloud_hypervisor, qemu };
enum class Wanted { automatic, on, off };  // "auto", "on", "off"
enum class RestartPolicy { never, on_failure, always };

// One segment is one switch.
struct SwitchConfig {
  std::string segment = "default";
  bool start = true;                     // else one that runs already answers on control_socket
  std::filesystem::path control_socket;  // of the running one
  std::filesystem::path config;          // optional configuration file of the one to start
  std::string workers;                   // CPUs, as switchd takes them; empty: its default
  std::string poll;                      // busy or adaptive; empty: its default
  // IPv4 of the clients of a router VM, always a /16: the last two octets of an address are those
  // of the client's MAC. 10.64.0.0/16, 10.65.0.0/16 ... in the order of the segments.
  std::string network;
  std::string origin;  // "file:line", for errors
};

// Of a port of switchd.
inline constexpr int kMostQueuePairs = 16;
inline constexpr int kLeastMtu = 1280;
inline constexpr int kMostMtu = 9216;

struct NetConfig {
  std::string segment = "default";
  MacText mac;  // always set once the file was read: from the VM's name when not given
  uint16_t mtu = 1500;
  uint16_t queues = 1;           // pairs
  std::optional<bool> isolated;  // set once the file was read: a router's clients are, else not
  std::string address;     // IPv4 that the router's DHCP server keeps for it; set as the MAC is
  bool displaced = false;  // another has the MAC or address of its name: who has which may change
  std::string origin;
};

struct DiskConfig {
  std::filesystem::path path;
  bool readonly = false;
  std::string origin = {};  // of its path
};

// When a VM counts as up: its link is attached and, where given, one of these.
struct ReadyConfig {
  std::string address;       // answers ARP or neighbour discovery on the VM's first segment
  std::string console_line;  // text that appears on its console
  std::chrono::seconds within{120};
};

struct RestartConfig {
  RestartPolicy policy = RestartPolicy::on_failure;
  std::chrono::milliseconds first_delay{1000};  // doubled each time up to the most
  std::chrono::milliseconds most_delay{60'000};
};

// What a router VM built by the project's own image is told (launcher/images/README.md).
struct RouterConfig {
  std::vector<std::string> forward;         // "tcp/8022 -> app:22"
  std::vector<std::string> allow_between;   // "app -> db": client to client, else nothing passes
  std::filesystem::path wireless_networks;  // a file of mode 0600
  std::vector<std::string> clients;         // filled in: every VM with an interface beside it
};

struct VmConfig {
  std::string name;
  VmmKind vmm = VmmKind::cloud_hypervisor;
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
  std::string command_line;
  std::vector<DiskConfig> disks;
  unsigned cpus = 1;
  uint64_t memory = 256ull << 20;
  std::vector<std::string> devices;  // PCI addresses, or "auto"
  std::vector<std::string> depends;
  std::vector<NetConfig> nets;
  RestartConfig restart;
  ReadyConfig ready;
  std::string user;                   // name or number; empty: one of the range
  std::filesystem::path vmm_program;  // empty: looked up on PATH
  Wanted landlock = Wanted::automatic;
  std::optional<RouterConfig> router;
  std::chrono::seconds power_button_grace{20};  // before shutdown
  std::string origin;
  std::map<std::string, std::string> key_origins;  // of the keys that the file has

  // "file:line: key 'name'", for errors; of a key that is not there, the line of the VM.
  std::string origin_of(const std::string& key) const {
    const auto found = key_origins.find(key);
    return found != key_origins.end() ? found->second : origin + ": key '" + key + "'";
  }
};

struct Topology {
  std::string name;  // the file's stem unless given
  std::filesystem::path file;
  uid_t first_user = 64'000;  // the range VMs' users are allocated from
  uid_t last_user = 64'999;
  std::string oui = "02:00:00";  // of MACs made from names; the local bit is set
  std::vector<SwitchConfig> switches;
  std::vector<VmConfig> vms;

  const VmConfig* find(const std::string& vm) const {
    for (const VmConfig& one : vms) {
      if (one.name == vm) return &one;
    }
    return nullptr;
  }
};

}  // namespace launcher
