// Everything a VM has besides its process: directory, files, ports, devices.
//
// Threads: the event loop's. Errors: LaunchError; what was taken so far is then released by
// release().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/host.h"
#include "runtime/vm_files.h"

namespace launcher {

struct VmPort {
  std::string id;    // the VMM's name of the interface: net0
  std::string name;  // of the port: VM.net0
  NetConfig config;
};

class VmResources {
 public:
  VmResources(Host& host, const VmConfig& vm);

  Task<VmSpec> prepare();
  // Devices stay taken over a restart, so that the host does not get them for a moment. They and
  // the interfaces are then what the VM had before; else what the file says.
  Task<> release(bool with_devices);

  Task<VmNet> add_net(NetConfig config);
  // By its id; false: there is none.
  Task<bool> remove_net(std::string id);
  // Whether an interface or a device of the VM has this id in the VMM.
  bool has(const std::string& id) const;
  // For a VM that runs. The address; one that the VM has is refused before anything is done to it,
  // for what undoes a failure would take it from the VM.
  Task<std::string> add_device(std::string device);
  // One that the VM has no more goes back to the host, if it was taken from it.
  Task<> give_back_device(std::string address);

  const std::optional<Credentials>& user() const { return user_; }
  const std::vector<VmPort>& ports() const { return ports_; }
  // Interfaces that it has, or will have when it is started again.
  const std::vector<VmPort>& nets() const { return nets_; }
  const std::vector<std::string>& devices() const { return devices_; }

 private:
  void forget_added_nets();
  VmPort named(NetConfig config) const;
  Task<VmNet> make_port(VmPort port);
  Task<bool> remove_port(std::string id);
  Task<std::string> take_device(std::string device);
  Segment& segment(const std::string& name) const { return *host_.segments.at(name); }

  Host& host_;
  const VmConfig& vm_;
  std::optional<Credentials> user_;
  std::unique_ptr<VmFiles> files_;
  std::vector<VmPort> ports_;
  std::vector<VmPort> nets_;          // the file's and those added later
  std::vector<std::string> wanted_;   // devices by address, or "auto"
  std::vector<std::string> devices_;  // taken
};

}  // namespace launcher
