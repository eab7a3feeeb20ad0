#include "vmm/cloud_hypervisor/requests.h"

#include "vmm/device_names.h"

namespace launcher::cloud_hypervisor {

using nlohmann::json;

namespace {

constexpr int queue_size = 256;  // larger rings leave the cache that smaller ones stay in

json payload_of(const VmSpec& spec) {
  json payload = {{"kernel", spec.kernel.string()}, {"cmdline", spec.command_line}};
  if (!spec.initramfs.empty()) payload["initramfs"] = spec.initramfs.string();
  return payload;
}

// `num_queues` counts rings: two a pair. Always with MAC, id and MTU: each would be made up.
json net_of(const VmNet& net) {
  return {{"id", net.id},
          {"mac", net.mac},
          {"mtu", net.mtu},
          {"num_queues", 2 * net.queues},
          {"queue_size", queue_size},
          {"vhost_user", true},
          {"vhost_socket", net.socket.string()},
          {"vhost_mode", "Client"}};
}

json disk_of(const DiskConfig& disk, size_t number) {
  return {{"id", "disk" + std::to_string(number)},
          {"path", disk.path.string()},
          {"readonly", disk.readonly},
          {"image_type", is_qcow2(disk.path) ? "Qcow2" : "Raw"}};
}

json device_of(const std::string& pci_address) {
  return {{"id", device_id(pci_address)}, {"path", "/sys/bus/pci/devices/" + pci_address}};
}

json landlock_rules(const std::vector<std::filesystem::path>& paths) {
  json rules = json::array();
  for (const auto& path : paths) rules.push_back({{"path", path.string()}, {"access", "rw"}});
  return rules;
}

void add_devices(json& vm, const VmSpec& spec) {
  for (const VmNet& net : spec.nets) vm["net"].push_back(net_of(net));
  for (const DiskConfig& disk : spec.disks) {
    vm["disks"].push_back(disk_of(disk, vm.contains("disks") ? vm["disks"].size() : 0));
  }
  for (const std::string& address : spec.devices) vm["devices"].push_back(device_of(address));
}

}  // namespace

Request ping() {
  return {Verb::get, "vmm.ping", {}};
}
Request boot() {
  return {Verb::put, "vm.boot", {}};
}
Request info() {
  return {Verb::get, "vm.info", {}};
}
Request power_button() {
  return {Verb::put, "vm.power-button", {}};
}
Request reboot() {
  return {Verb::put, "vm.reboot", {}};
}
Request shutdown() {
  return {Verb::put, "vm.shutdown", {}};
}
Request shutdown_vmm() {
  return {Verb::put, "vmm.shutdown", {}};
}

Request create(const VmSpec& spec, const std::vector<std::filesystem::path>& landlock_paths) {
  json vm = {{"cpus", {{"boot_vcpus", spec.cpus}, {"max_vcpus", spec.cpus}}},
             {"memory", {{"size", spec.memory}, {"shared", true}}},  // vhost-user needs it shared
             {"payload", payload_of(spec)},
             {"rng", {{"src", "/dev/urandom"}}},
             {"serial", {{"mode", "Tty"}}},
             {"console", {{"mode", "Off"}}},
             {"pvpanic", true}};
  add_devices(vm, spec);
  if (spec.landlock) {
    vm["landlock_enable"] = true;
    vm["landlock_rules"] = landlock_rules(landlock_paths);
  }
  return {Verb::put, "vm.create", std::move(vm)};
}

Request add_net(const VmNet& net) {
  return {Verb::put, "vm.add-net", net_of(net)};
}

Request add_device(const std::string& pci_address) {
  return {Verb::put, "vm.add-device", device_of(pci_address)};
}

Request remove_device(const std::string& id) {
  return {Verb::put, "vm.remove-device", {{"id", id}}};
}

std::vector<std::filesystem::path> landlock_paths() {
  std::vector<std::filesystem::path> paths;
  for (const char* path :
       {"/dev/vfio", "/sys/bus/pci", "/sys/devices", "/sys/kernel/iommu_groups"}) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) paths.emplace_back(path);
  }
  return paths;
}

}  // namespace launcher::cloud_hypervisor
