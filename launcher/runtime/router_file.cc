#include "runtime/router_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "process/error.h"
#include "runtime/cpio.h"

namespace launcher {
namespace {

using nlohmann::json;

json segments_json(const Topology& topology, const VmConfig& router) {
  json segments = json::array();
  for (const NetConfig& net : router.nets) {
    for (const SwitchConfig& one : topology.switches) {
      if (one.segment != net.segment) continue;
      segments.push_back({{"mac", net.mac}, {"network", one.network + "/16"}});
    }
  }
  return segments;
}

bool serves(const VmConfig& router, const NetConfig& client) {
  return std::any_of(router.nets.begin(), router.nets.end(),
                     [&](const NetConfig& net) { return net.segment == client.segment; });
}

json clients_json(const Topology& topology, const VmConfig& router) {
  json clients = json::array();
  for (const VmConfig& vm : topology.vms) {
    // One name has one address: that of the first interface beside the router.
    bool named = false;
    for (const NetConfig& net : vm.nets) {
      if (vm.name == router.name || !serves(router, net)) continue;
      json client = {{"mac", net.mac}, {"address", net.address}};
      if (!named) client["name"] = vm.name;
      named = true;
      clients.push_back(std::move(client));
    }
  }
  return clients;
}

std::string read_secret(const std::filesystem::path& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) throw LaunchError(path.string() + ": cannot be read");
  if ((facts.st_mode & 077) != 0) {
    throw LaunchError(path.string() + ": holds passwords and is open to others; chmod 600 it");
  }
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

json router_json(const Topology& topology, const VmConfig& router) {
  return {{"segments", segments_json(topology, router)},
          {"clients", clients_json(topology, router)},
          {"forward", router.router->forward},
          {"allow_between", router.router->allow_between}};
}

std::string router_archive(const Topology& topology, const VmConfig& router) {
  Cpio archive;
  archive.directory("etc", 0755);
  archive.file("etc/router.json", 0600, router_json(topology, router).dump(1) + "\n");
  if (!router.router->wireless_networks.empty()) {
    archive.file("etc/wireless.conf", 0600, read_secret(router.router->wireless_networks));
  }
  return archive.finish();
}

}  // namespace launcher
