// Prints every request that the driver of cloud-hypervisor can make, one JSON object a line:
// {"verb", "endpoint", "body"}. check_requests.py holds them against the API's definition.
#include "vmm/cloud_hypervisor/requests.h"

#include <iostream>

namespace launcher::cloud_hypervisor {
namespace {

VmSpec smallest() {
  VmSpec spec;
  spec.name = "small";
  spec.kernel = "/boot/vmlinuz";
  spec.memory = 96ull << 20;
  return spec;
}

VmNet net(int number, uint16_t queues) {
  return {"net" + std::to_string(number), "/run/switch/app.sock", "02:00:00:00:00:01", 9000,
          queues};
}

// Everything that a topology file can ask for.
VmSpec largest() {
  VmSpec spec = smallest();
  spec.initramfs = "/boot/initramfs";
  spec.command_line = "console=ttyS0 \"quoted\"";
  spec.disks = {{"/srv/a.raw", true}, {"/srv/b.qcow2", false}};
  spec.cpus = 8;
  spec.memory = 64ull << 30;
  spec.devices = {"0000:00:19.0", "0000:01:00.1"};
  spec.nets = {net(0, 1), net(1, 4)};
  spec.landlock = true;
  return spec;
}

void print(const Request& request) {
  const nlohmann::json line = {{"verb", request.verb == Verb::get ? "get" : "put"},
                               {"endpoint", request.endpoint},
                               {"body", request.body}};
  std::cout << line << '\n';
}

}  // namespace
}  // namespace launcher::cloud_hypervisor

int main() {
  using namespace launcher::cloud_hypervisor;
  for (const Request& request :
       {ping(), create(smallest(), {}), create(largest(), {"/dev/vfio", "/sys/devices"}), boot(),
        info(), power_button(), reboot(), shutdown(), shutdown_vmm(), add_net(net(2, 2)),
        add_device("0000:00:19.0"), remove_device("net2")}) {
    print(request);
  }
}
