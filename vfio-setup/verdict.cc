#include "verdict.h"

#include <algorithm>

namespace vfio_setup {
namespace {

bool allowed_in_a_group(const std::string& driver) {
  return driver.empty() || driver == "pcieport" || driver == "vfio-pci" || driver == "pci-stub";
}

void judge_storage(const HostSnapshot& host, const PciDevice& member, Verdict& verdict) {
  for (const StorageUse& storage : host.use.storage) {
    if (storage.owner == member.address) {
      verdict.in_use.push_back(member.address + ": storage " + storage.block + " is in use (" +
                               storage.use + ")");
    }
  }
}

std::string stacked(const UpperInterface& upper) {
  const bool is_port = upper.kind == "bridge" || upper.kind == "bond";
  return is_port ? " is a port of the " + upper.kind + " " + upper.name
                 : " is what " + (upper.kind.empty() ? "" : upper.kind + " ") + upper.name +
                       " stands on";
}

// What could not be made again afterwards.
void judge_stack(const std::string& below, const std::vector<UpperInterface>& uppers,
                 Verdict& verdict) {
  for (const UpperInterface& upper : uppers) {
    if (upper.kind.empty()) {
      verdict.impossible.push_back(upper.name + " stands on interface " + below +
                                   ", and restore could not make it again: remove it first");
    }
    judge_stack(upper.name, upper.uppers, verdict);
  }
}

void judge_network(const HostSnapshot& host, const PciDevice& member, bool is_target,
                   Verdict& verdict) {
  for (const NetInterface* interface : host.interfaces_of(member)) {
    const std::string subject = member.address + ": interface " + interface->name;
    judge_stack(interface->name, interface->uppers, verdict);
    if (interface->default_route == interface->name) {
      verdict.in_use.push_back(subject + " has the default route");
    } else if (!interface->default_route.empty()) {
      verdict.in_use.push_back(subject + " carries the default route of " +
                               interface->default_route);
    } else if (!interface->uppers.empty()) {
      verdict.in_use.push_back(subject + stacked(interface->uppers.front()));
    } else if (interface->up && !interface->address.empty()) {
      verdict.in_use.push_back(subject + " is up with address " + interface->address);
    } else if (interface->up && !is_target) {
      verdict.in_use.push_back(subject + " is up, and its group would be passed with it");
    } else if (interface->up) {
      verdict.notes.push_back(subject + " is up: bind takes it down");
    }
  }
}

void judge_usb(const HostSnapshot& host, const PciDevice& member, bool is_target,
               Verdict& verdict) {
  for (const UsbDevice& usb : host.use.usb) {
    if (usb.owner != member.address) continue;
    auto& list = is_target ? verdict.notes : verdict.in_use;
    list.push_back(member.address + ": USB device " + usb.path + " (" + usb.product +
                   ") hangs on it and goes with it");
  }
}

// A function of a kind whose use shows nowhere: a bound driver counts as use.
void judge_unknown(const HostSnapshot& host, const PciDevice& member, Verdict& verdict) {
  const bool use_shows = host.is_nic(member) || member.is_storage() || member.is_usb_controller();
  if (use_shows || allowed_in_a_group(member.driver)) return;
  verdict.in_use.push_back(member.address + ": " + member.class_name + " is served by driver " +
                           member.driver + ", and its group would be passed with it");
}

// They cease to be when the function leaves its driver.
void judge_virtual_functions(const HostSnapshot& host, const PciDevice& member, Verdict& verdict) {
  for (const std::string& address : member.virtual_functions) {
    const PciDevice* function = host.find(address);
    if (function == nullptr) continue;
    judge_network(host, *function, true, verdict);
    judge_storage(host, *function, verdict);
    if (function->driver == "vfio-pci") {
      verdict.in_use.push_back(address + ": is a virtual function of " + member.address +
                               " that a VM may have");
    }
  }
  if (member.virtual_functions.empty()) return;
  verdict.notes.push_back(member.address + ": its " +
                          std::to_string(member.virtual_functions.size()) +
                          " virtual functions go until it is given back");
}

void judge_member(const HostSnapshot& host, const PciDevice& member, bool is_target,
                  Verdict& verdict) {
  if (member.is_bridge()) {
    if (!allowed_in_a_group(member.driver)) {
      verdict.impossible.push_back("its IOMMU group holds the bridge " + member.address +
                                   " with driver " + member.driver + ", which stays on the host");
    }
    return;
  }
  if (member.boot_vga) verdict.in_use.push_back(member.address + ": is the boot display (VGA)");
  judge_network(host, member, is_target, verdict);
  judge_storage(host, member, verdict);
  judge_usb(host, member, is_target, verdict);
  judge_virtual_functions(host, member, verdict);
  if (!is_target) judge_unknown(host, member, verdict);
}

}  // namespace

Verdict judge(const HostSnapshot& host, const PciDevice& device) {
  Verdict verdict;
  if (device.is_bridge()) verdict.impossible.push_back("it is a bridge, and bridges stay");
  if (!device.iommu_group) {
    verdict.impossible.push_back("it has no IOMMU group: see `vfio-setup check`");
  }
  for (const PciDevice* member : host.group_of(device)) {
    const bool is_target = member->address == device.address;
    if (is_target && member->is_bridge()) continue;
    judge_member(host, *member, is_target, verdict);
    if (!is_target && !member->is_bridge()) {
      verdict.notes.push_back(member->title() + " is in the same group and is passed with it");
    }
  }
  if (device.driver == "vfio-pci") verdict.notes.push_back("is bound to vfio-pci already");
  if (device.reset_methods.empty()) {
    verdict.notes.push_back("has no reset method: it may not work again after the VM's end");
  }
  return verdict;
}

}  // namespace vfio_setup
