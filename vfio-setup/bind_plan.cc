#include "bind_plan.h"

#include <algorithm>

#include "verdict.h"

namespace vfio_setup {
namespace {

std::string list_of(const std::vector<std::string>& reasons) {
  std::string text;
  for (const std::string& reason : reasons) text += "\n  " + reason;
  return text;
}

const PciDevice& pick_named(const HostSnapshot& host, const std::string& address) {
  const PciDevice* device = host.find(full_address(address));
  if (device != nullptr) return *device;
  throw Refusal("there is no PCI device " + address + ": `vfio-setup list` shows the NICs");
}

std::string why_not(const Verdict& verdict) {
  return verdict.impossible.empty() ? verdict.in_use.front() : verdict.impossible.front();
}

const PciDevice& pick_automatically(const HostSnapshot& host, const std::set<std::string>& bound) {
  std::vector<const PciDevice*> candidates;
  std::vector<std::string> named;
  std::vector<std::string> others;
  for (const PciDevice& device : host.devices) {
    if (bound.contains(device.address)) return device;
    if (!host.is_nic(device)) continue;
    const Verdict verdict = judge(host, device);
    if (verdict.can_be_passed()) {
      candidates.push_back(&device);
      named.push_back(device.title());
    } else {
      others.push_back(device.title() + ": " + why_not(verdict));
    }
  }
  if (candidates.size() == 1) return *candidates.front();
  if (candidates.empty()) {
    throw Refusal(others.empty() ? "this machine has no NIC on PCI"
                                 : "no NIC can be passed:" + list_of(others));
  }
  throw Refusal("several NICs can be passed, name one of them:" + list_of(named));
}

// Virtual functions, which cease to be when their card is passed.
std::set<std::string> functions_of(const std::vector<const PciDevice*>& group) {
  std::set<std::string> functions;
  for (const PciDevice* member : group) {
    functions.insert(member->virtual_functions.begin(), member->virtual_functions.end());
  }
  return functions;
}

}  // namespace

bool BindPlan::is_done() const {
  return std::all_of(devices.begin(), devices.end(), [](const PciDevice* device) {
    return device->driver == "vfio-pci" && device->driver_override == "vfio-pci";
  });
}

BindPlan plan_bind(const HostSnapshot& host, const std::string& request, bool force,
                   const std::set<std::string>& bound) {
  BindPlan plan;
  plan.target = request == "auto" ? &pick_automatically(host, bound) : &pick_named(host, request);
  const Verdict verdict = judge(host, *plan.target);
  if (!verdict.impossible.empty()) {
    throw Refusal(plan.target->title() + " cannot be passed:" + list_of(verdict.impossible));
  }
  if (!verdict.in_use.empty() && !force) {
    throw Refusal(plan.target->title() + " is not passed:" + list_of(verdict.in_use) +
                  "\nGive --force to pass it all the same.");
  }
  plan.overridden = verdict.in_use;
  plan.notes = verdict.notes;
  const std::vector<const PciDevice*> group = host.group_of(*plan.target);
  const std::set<std::string> going = functions_of(group);
  if (going.contains(plan.target->address)) {
    throw Refusal(plan.target->title() +
                  " cannot be passed: its IOMMU group holds the card whose "
                  "virtual function it is; pass the card");
  }
  for (const PciDevice* member : group) {
    if (!member->is_bridge() && !going.contains(member->address)) plan.devices.push_back(member);
  }
  return plan;
}

std::vector<std::string> describe(const HostSnapshot& host, const BindPlan& plan) {
  std::vector<std::string> steps{"load vfio-pci"};
  for (const PciDevice* device : plan.devices) {
    if (device->driver == "vfio-pci") {
      steps.push_back(device->title() + ": is bound to vfio-pci already");
      continue;
    }
    for (const NetInterface* interface : host.interfaces_of(*device)) {
      if (interface->up) steps.push_back("take down interface " + interface->name);
    }
    if (!device->virtual_functions.empty()) {
      steps.push_back(device->title() + ": remove its virtual functions");
    }
    steps.push_back(device->title() + ": driver " +
                    (device->driver.empty() ? "(none)" : device->driver) + " -> vfio-pci");
  }
  return steps;
}

std::string full_address(const std::string& address) {
  return std::count(address.begin(), address.end(), ':') == 1 ? "0000:" + address : address;
}

}  // namespace vfio_setup
