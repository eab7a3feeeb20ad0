// What a router VM made of the project's image is told: /etc/router.json (its form is
// launcher/images/README.md's) and the wireless networks, in a cpio archive that follows the
// image's own initramfs.
//
// Threads: pure but for reading the file of wireless networks. Errors: LaunchError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "topology/topology.h"

namespace launcher {

nlohmann::json router_json(const Topology& topology, const VmConfig& router);
std::string router_archive(const Topology& topology, const VmConfig& router);

}  // namespace launcher
