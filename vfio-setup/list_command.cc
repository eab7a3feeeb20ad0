#include <nlohmann/json.hpp>

#include "commands.h"
#include "host_snapshot.h"
#include "usb_nic.h"
#include "verdict.h"

namespace vfio_setup {
namespace {

using nlohmann::json;

std::string join(const std::vector<std::string>& words, const std::string& none) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? none : text;
}

std::vector<std::string> interface_names(const HostSnapshot& host, const PciDevice& device) {
  std::vector<std::string> names;
  for (const NetInterface* interface : host.interfaces_of(device)) names.push_back(interface->name);
  return names;
}

std::vector<std::string> other_members(const HostSnapshot& host, const PciDevice& device) {
  std::vector<std::string> others;
  for (const PciDevice* member : host.group_of(device)) {
    if (member->address != device.address) others.push_back(member->address);
  }
  return others;
}

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json verdict_json(const Verdict& verdict) {
  return {{"can_be_passed", verdict.can_be_passed()},
          {"impossible", verdict.impossible},
          {"in_use", verdict.in_use},
          {"notes", verdict.notes}};
}

json device_json(const HostSnapshot& host, const PciDevice& device) {
  return {{"address", device.address},
          {"ids", device.ids()},
          {"vendor", device.vendor_name},
          {"device", device.device_name},
          {"class", device.class_name},
          {"nic", host.is_nic(device)},
          {"wireless", host.is_wireless(device)},
          {"driver", device.driver.empty() ? json(nullptr) : json(device.driver)},
          {"interfaces", interface_names(host, device)},
          {"iommu_group", or_null(device.iommu_group)},
          {"group_members", other_members(host, device)},
          {"numa_node", or_null(device.numa_node)},
          {"reset_methods", device.reset_methods},
          {"virtual_functions", device.virtual_functions},
          {"boot_vga", device.boot_vga},
          {"verdict", verdict_json(judge(host, device))}};
}

json usb_json(const HostSnapshot& host, const UsbNic& nic) {
  json others = json::array();
  for (const UsbDevice* other : nic.others) {
    others.push_back({{"path", other->path}, {"product", other->product}});
  }
  return {{"usb_path", nic.interface->usb_path},
          {"product", nic.product},
          {"interface", nic.interface->name},
          {"controller", nic.controller->address},
          {"wireless", nic.interface->wireless},
          {"others_on_controller", others},
          {"verdict", verdict_json(judge(host, *nic.controller))}};
}

void print_verdict(std::ostream& out, const Verdict& verdict) {
  out << "    can be passed: " << (verdict.can_be_passed() ? "yes" : "no") << "\n";
  for (const std::string& reason : verdict.impossible) out << "      no: " << reason << "\n";
  for (const std::string& reason : verdict.in_use) {
    out << "      in use (--force overrides): " << reason << "\n";
  }
  for (const std::string& note : verdict.notes) out << "      note: " << note << "\n";
}

void print_device(std::ostream& out, const HostSnapshot& host, const PciDevice& device) {
  const std::string group = device.iommu_group
                                ? std::to_string(*device.iommu_group) + " (with " +
                                      join(other_members(host, device), "nothing else") + ")"
                                : "none";
  out << device.address << "  " << device.class_name
      << (host.is_wireless(device) ? " (wireless)" : "") << ": " << device.vendor_name << " "
      << device.device_name << " [" << device.ids() << "]\n"
      << "    driver: " << (device.driver.empty() ? "none" : device.driver)
      << "; interfaces: " << join(interface_names(host, device), "none") << "\n"
      << "    IOMMU group: " << group
      << "; NUMA node: " << (device.numa_node ? std::to_string(*device.numa_node) : "none")
      << "; reset: " << join(device.reset_methods, "none") << "\n";
  print_verdict(out, judge(host, device));
}

void print_usb(std::ostream& out, const HostSnapshot& host, const UsbNic& nic) {
  out << "usb " << nic.interface->usb_path << "  " << nic.product << "\n"
      << "    interfaces: " << nic.interface->name << "\n"
      << "    pass its controller: " << nic.controller->title() << "\n";
  for (const UsbDevice* other : nic.others) {
    out << "    also on that controller: " << other->path << " " << other->product << "\n";
  }
  print_verdict(out, judge(host, *nic.controller));
}

}  // namespace

int list_command(const CommandContext& context) {
  const HostSnapshot host = read_host(context.paths);
  json all = {{"devices", json::array()}, {"usb_nics", json::array()}};
  for (const PciDevice& device : host.devices) {
    if (!context.options.all && !host.is_nic(device)) continue;
    if (context.options.json) {
      all["devices"].push_back(device_json(host, device));
    } else {
      print_device(context.out, host, device);
    }
  }
  for (const UsbNic& nic : usb_nics(host)) {
    if (context.options.json) {
      all["usb_nics"].push_back(usb_json(host, nic));
    } else {
      print_usb(context.out, host, nic);
    }
  }
  if (context.options.json) context.out << all.dump(2) << "\n";
  return EXIT_SUCCESS;
}

}  // namespace vfio_setup
