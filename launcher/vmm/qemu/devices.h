// The devices of a QEMU guest, as QMP's arguments: those of its start and those added later are
// made of the same. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "vmm/qemu/accelerator.h"
#include "vmm/vmm.h"

namespace launcher::qemu {

struct Command {
  std::string name;          // of QMP: "device_add"
  nlohmann::json arguments;  // null: none
};

std::string chardev_of(const std::string& id);  // of the interface's socket
std::string netdev_of(const std::string& id);   // of its backend

// Arguments of netdev_add and device_add.
nlohmann::json netdev(const VmNet& net);
nlohmann::json net_device(const VmNet& net, Accelerator accelerator);
nlohmann::json pci_device(const std::string& pci_address);

// In this order; what was done of it is undone by undo_add_net(), each of it that can be.
std::vector<Command> add_net(const VmNet& net, Accelerator accelerator);
std::vector<Command> undo_add_net(const std::string& id);
// After the device is gone. The backend takes its socket with it.
Command remove_backend(const std::string& id);

}  // namespace launcher::qemu
