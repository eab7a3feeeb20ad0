// What the control plane may ask of the switch. datapath::Switch is the real one; tests of the
// control plane use a fake.
//
// Threads: everything runs on the main thread (the io_context's). Errors: SwitchError, whose what()
// names the port or address and the remedy.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bridge/counters.h"
#include "bridge/mac_address.h"
#include "policy/port_rules.h"
#include "vhost/socket_access.h"
#include "vhost/virtio.h"

namespace datapath {

inline constexpr unsigned kMaxPorts = 256;

class SwitchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct PortSettings {
  std::string name;
  std::filesystem::path socket;
  vhost::SocketAccess access;
  policy::PortRules rules;
  std::optional<uint16_t> mtu = {};         // none: the guest decides, up to 9216
  uint16_t queues = vhost::kMaxQueuePairs;  // pairs that the guest may have
  bool packed = false;                      // packed rings are offered to it

  bool operator==(const PortSettings&) const = default;
};

enum class PortState { listening, connecting, connected, attached, faulted };

struct PortInfo {
  PortSettings settings;
  PortState state = PortState::listening;
  // Why it is faulted, why there is no VMM to connect to, or why the last VMM went; may be empty.
  std::string reason;
  std::optional<pid_t> vmm_pid;
  std::optional<uid_t> vmm_uid;
  uint64_t features = 0;        // negotiated virtio features, 0 when not attached
  unsigned running_queues = 0;  // pairs that the guest's driver has enabled
  int worker_cpu = -1;          // of the first pair; the others follow on the next workers
  uint32_t macs = 0;            // learned and static addresses
};

struct PortCounters {
  std::array<uint64_t, bridge::kCount<bridge::Ingress>> ingress{};
  std::array<uint64_t, bridge::kCount<bridge::Egress>> egress{};
  std::array<uint64_t, bridge::kCount<bridge::Learning>> learning{};
};

struct WorkerInfo {
  int cpu = -1;
  uint64_t turns = 0;         // of the poll loop
  uint64_t busy_turns = 0;    // that moved a frame
  uint64_t busy_cycles = 0;   // TSC, of whole busy turns
  uint64_t idle_cycles = 0;   // TSC, of the others while awake
  uint64_t sleep_cycles = 0;  // TSC, asleep (adaptive polling)
  uint64_t sleeps = 0;
  uint64_t frames = 0;         // taken from guests
  uint64_t delivered = 0;      // copies put into guests
  uint64_t notifications = 0;  // interrupts raised in guests
  std::vector<std::string> ports;
};

struct MacEntry {
  bridge::MacAddress address;
  std::string port;
  bool is_static = false;
  std::chrono::seconds age{0};  // since last seen as a source; 0 for static ones
};

struct SwitchStatus {
  std::string cpu_level;  // x86-64-v2 ...
  std::string poll;       // busy or adaptive
  uint64_t tsc_hz = 0;
  uint32_t macs = 0;
  uint32_t mac_table_size = 0;
  std::chrono::seconds uptime{0};
};

struct Event {
  enum class Kind {
    port_added,
    port_removed,
    vmm_connected,
    vmm_disconnected,
    vmm_refused,
    guest_attached,
    guest_detached,
    port_faulted,
    mac_moved,
  };
  Kind kind{};
  std::string port;
  std::string detail;  // for people; may be empty
};

class SwitchApi {
 public:
  virtual ~SwitchApi() = default;

  virtual void add_port(const PortSettings& settings) = 0;
  // With a guest attached only when forced.
  virtual void remove_port(const std::string& name, bool force) = 0;
  virtual std::vector<PortInfo> ports() const = 0;
  virtual PortCounters counters(const std::string& port) const = 0;
  virtual std::vector<std::string> messages(const std::string& port) const = 0;

  virtual std::vector<MacEntry> macs() const = 0;
  virtual void add_static_mac(bridge::MacAddress address, const std::string& port) = 0;
  virtual void remove_mac(bridge::MacAddress address) = 0;
  // Learned addresses, of one port or of all; returns how many.
  virtual uint32_t flush_macs(const std::optional<std::string>& port) = 0;

  virtual std::vector<WorkerInfo> workers() const = 0;
  virtual SwitchStatus status() const = 0;
  virtual void on_event(std::function<void(const Event&)> handler) = 0;
};

}  // namespace datapath
