// PCI devices of VMs: taken from the host with `vfio-setup bind`, given back with `vfio-setup
// restore` when it was this topology that took them. One that is bound to vfio-pci already is used
// and left alone.
//
// What was taken stands in a file, so that the launcher after one that was killed gives it back.
//
// Threads: the event loop's. Errors: LaunchError in vfio-setup's own words.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "process/task.h"
#include "runtime/progress.h"
#include "topology/topology.h"

namespace launcher {

class Devices {
 public:
  Devices(boost::asio::io_context& loop, Progress& progress, const Topology& topology,
          std::filesystem::path vfio_setup, std::filesystem::path record);

  // `device` is a PCI address, as the topology file may write it, or "auto": the one NIC that can
  // be passed, but for those that VMs have or the file names. The address.
  Task<std::string> find(std::string device);
  // Likewise, and it is the VM's then. `uid` will own /dev/vfio/GROUP.
  Task<std::string> take(std::string vm, std::string device, std::optional<uid_t> uid);
  // Nothing happens to a device that was not taken.
  Task<> give_back(std::string address);
  Task<> give_back_all();

 private:
  Task<std::string> choose();
  // The VM that has it or for which the file names it; empty: none.
  std::string owner_of(const std::string& address) const;
  Task<> bind(std::string vm, std::string address, bool was_bound, std::optional<uid_t> uid);
  Task<std::string> vfio_setup(std::vector<std::string> arguments);
  // After a failure: vfio-setup undoes what it cannot finish.
  void forget_unless_bound(const std::string& address);
  void save() const;

  boost::asio::io_context& loop_;
  Progress& progress_;
  const Topology& topology_;
  std::filesystem::path program_;  // empty: looked for when it is needed
  std::filesystem::path record_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> owners_;  // by address: the VM that has it
};

}  // namespace launcher
