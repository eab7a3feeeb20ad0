// The requests of cloud-hypervisor's REST API that the launcher makes: pure functions. The API's
// own definition (vmm/src/api/openapi/cloud-hypervisor.yaml of its source) says what they may
// contain; a test holds them against it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "vmm/vmm.h"

namespace launcher::cloud_hypervisor {

enum class Verb { get, put };

struct Request {
  Verb verb = Verb::put;
  std::string endpoint;  // "vm.create"
  nlohmann::json body;   // null: none
};

Request ping();
// `landlock_paths`: what a device added later needs (landlock_paths()); used when spec.landlock.
Request create(const VmSpec& spec, const std::vector<std::filesystem::path>& landlock_paths);
Request boot();
Request info();
Request power_button();
Request reboot();
Request shutdown();
Request shutdown_vmm();
Request add_net(const VmNet& net);
Request add_device(const std::string& pci_address);
Request remove_device(const std::string& id);

// The paths of this host that VFIO needs and Landlock would deny: those of them that exist, as
// cloud-hypervisor refuses a rule for one that does not.
std::vector<std::filesystem::path> landlock_paths();

}  // namespace launcher::cloud_hypervisor
