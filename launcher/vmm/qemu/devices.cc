#include "vmm/qemu/devices.h"

#include "vmm/device_names.h"

namespace launcher::qemu {

using nlohmann::json;

namespace {

json socket_chardev(const VmNet& net) {
  const json address = {{"type", "unix"}, {"data", {{"path", net.socket.string()}}}};
  return {
      {"id", chardev_of(net.id)},
      {"backend",
       {{"type", "socket"}, {"data", {{"addr", address}, {"server", false}, {"reconnect", 1}}}}}};
}

}  // namespace

std::string chardev_of(const std::string& id) {
  return "socket-" + id;
}
std::string netdev_of(const std::string& id) {
  return "backend-" + id;
}

json netdev(const VmNet& net) {
  return {{"type", "vhost-user"},
          {"id", netdev_of(net.id)},
          {"chardev", chardev_of(net.id)},
          {"queues", net.queues}};
}

json net_device(const VmNet& net, Accelerator accelerator) {
  json device = {{"driver", "virtio-net-pci"},  {"id", net.id},
                 {"netdev", netdev_of(net.id)}, {"mac", net.mac},
                 {"host_mtu", net.mtu},         {"romfile", ""}};
  if (net.queues > 1) device["mq"] = true;
  // One interrupt a ring, one for the configuration and one for the control ring. QEMU 7.2 without
  // KVM crashes on those of a vhost-user device as soon as the guest's driver starts.
  device["vectors"] = accelerator == Accelerator::tcg ? 0 : 2 * net.queues + 2;
  return device;
}

json pci_device(const std::string& pci_address) {
  return {{"driver", "vfio-pci"}, {"id", device_id(pci_address)}, {"host", pci_address}};
}

std::vector<Command> add_net(const VmNet& net, Accelerator accelerator) {
  return {{"chardev-add", socket_chardev(net)},
          {"netdev_add", netdev(net)},
          {"device_add", net_device(net, accelerator)}};
}

std::vector<Command> undo_add_net(const std::string& id) {
  return {remove_backend(id), {"chardev-remove", {{"id", chardev_of(id)}}}};
}

Command remove_backend(const std::string& id) {
  return {"netdev_del", {{"id", netdev_of(id)}}};
}

}  // namespace launcher::qemu
