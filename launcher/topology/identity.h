// Gives every interface its MAC and its IPv4 address, so that both stay the same for as long as the
// VM has its name, whatever else comes and goes.
//
// Theory of operation. A MAC is the OUI (with the locally administered bit set, IEEE 802-2014, 8.4)
// and three octets of a hash of the VM's name, the interface's number and a try. The address is the
// segment's /16 network with the MAC's last two octets as the host part, so two clients with the
// same last octets would share one: the next try is taken then. VMs are served in the order of
// their names, those with addresses of their own first, so the outcome does not hang on the order
// in the file. The router VM has the first address of each network, by its one interface there.
//
// Threads: pure. Errors: TopologyError when addresses given by hand collide, or a router has two
// interfaces on a segment.
#pragma once

#include "topology/topology.h"

namespace launcher {

// Host parts nobody gets: the network, the router, the broadcast address.
inline constexpr uint32_t kRouterHost = 1;

// The same on every machine and in every release.
uint64_t stable_hash(const std::string& text);

void assign_networks(Topology& topology);
void assign_identities(Topology& topology);

}  // namespace launcher
