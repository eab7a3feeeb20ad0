// A virtual machine monitor, as the launcher needs it. One file a VMM implements this; the table in
// vmm_table.cc names them all.
//
// Who does what: the runtime starts the VMM's process (user, limits, console, log) with the command
// that command() gives, creates and removes its directory, and waits for its end; the object speaks
// to the running process. Standard input and output of the process are the slave of a terminal that
// the runtime owns: the guest's first serial port must be connected there (ttyS0). Standard error
// is the VMM's own log.
//
// Threads: one, the event loop's; all operations are coroutines of it and may be cancelled by
// ending the process and saying so (process_ended()): they then end with an error. The object must
// outlive its operations. Each has a time-out of its own: none hangs with the VMM. Errors:
// VmmError, in the VMM's own words with the VM's name before them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "process/credentials.h"
#include "topology/topology.h"

namespace launcher {

class VmmError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A network interface over vhost-user; the switch listens on `socket`, the VMM connects.
struct VmNet {
  std::string id;  // net0, net1 ...
  std::filesystem::path socket;
  MacText mac;
  uint16_t mtu = 1500;
  uint16_t queues = 1;  // pairs
};

// A VM with every choice made: paths exist, "auto" is resolved.
struct VmSpec {
  std::string name;
  std::filesystem::path program;    // of the VMM
  std::filesystem::path directory;  // of this VM alone, owned by its user, mode 0700
  std::filesystem::path kernel;
  std::filesystem::path initramfs;  // may be empty
  std::string command_line;
  std::vector<DiskConfig> disks;  // raw; qcow2 where the name ends in .qcow2
  unsigned cpus = 1;
  uint64_t memory = 0;               // bytes
  std::vector<std::string> devices;  // PCI addresses, bound to vfio-pci
  std::vector<VmNet> nets;
  bool landlock = false;
  std::optional<Credentials> user;  // that the runtime runs the VMM as; nothing: its own
};

// What the VMM tells of itself while it runs.
struct VmmEvent {
  enum class Kind { booted, rebooting, shut_down, panicked, device_removed, other };
  Kind kind = Kind::other;
  std::string detail;  // as the VMM says it
};

class Vmm {
 public:
  template <typename T>
  using Task = boost::asio::awaitable<T>;

  virtual ~Vmm() = default;

  // Finds out what the command depends on, which may take seconds. The VM's user runs what is
  // tried. REQUIRES: called before everything else, once.
  virtual Task<void> prepare() { co_return; }

  // Program and arguments. Prepares the VM's directory, which must exist and have its owner.
  // REQUIRES: called after prepare(), once.
  virtual std::vector<std::string> command() const = 0;

  // After the process was started: waits for its control socket, creates the VM, boots it.
  virtual Task<void> boot() = 0;

  virtual Task<void> power_button() = 0;
  virtual Task<void> shutdown() = 0;  // by force of the VMM; the process ends
  virtual Task<void> reboot() = 0;    // reset

  // On a running VM. The device is there when the guest's driver takes it; names for remove().
  virtual Task<void> add_net(const VmNet& net) = 0;
  virtual Task<std::string> add_device(const std::string& pci_address) = 0;
  // Returns when the guest has let go of it.
  virtual Task<void> remove(const std::string& id) = 0;
  // After a remove() that gave up: the guest has let go of it since.
  virtual Task<void> forget(const std::string& id) = 0;

  // The process is gone: what waits for it ends with an error, on the loop's next turn.
  virtual void process_ended() {}

  void on_event(std::function<void(const VmmEvent&)> handler) { handler_ = std::move(handler); }

 protected:
  void report(const VmmEvent& event) const {
    if (handler_) handler_(event);
  }

 private:
  std::function<void(const VmmEvent&)> handler_;
};

struct VmmDriver {
  VmmKind kind;
  const char* name;     // as in the topology file: "cloud-hypervisor", "qemu"
  const char* program;  // looked up on PATH
  std::unique_ptr<Vmm> (*make)(boost::asio::io_context& loop, const VmSpec& spec);
};

// Throws VmmError for a name that is not there, naming those that are.
const VmmDriver& find_vmm(const std::string& name);
const VmmDriver& find_vmm(VmmKind kind);

}  // namespace launcher
