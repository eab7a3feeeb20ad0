#include "drive/spec_json.h"

namespace launcher {

using nlohmann::json;

VmNet net_from(const json& net) {
  VmNet result;
  result.id = net.at("id");
  result.socket = net.at("socket").get<std::string>();
  result.mac = net.at("mac");
  result.mtu = net.value("mtu", result.mtu);
  result.queues = net.value("queues", result.queues);
  return result;
}

VmSpec spec_from(const json& spec) {
  VmSpec result;
  result.name = spec.at("name");
  result.program = spec.at("program").get<std::string>();
  result.directory = spec.at("directory").get<std::string>();
  result.kernel = spec.at("kernel").get<std::string>();
  result.initramfs = spec.value("initramfs", "");
  result.command_line = spec.value("command_line", "");
  result.cpus = spec.value("cpus", 1u);
  result.memory = spec.at("memory");
  result.landlock = spec.value("landlock", false);
  result.devices = spec.value("devices", std::vector<std::string>());
  for (const json& disk : spec.value("disks", json::array())) {
    result.disks.push_back({disk.at("path").get<std::string>(), disk.value("readonly", false)});
  }
  for (const json& net : spec.value("nets", json::array())) result.nets.push_back(net_from(net));
  return result;
}

}  // namespace launcher
