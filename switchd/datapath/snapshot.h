// What a worker needs to know for a turn: who may reach whom, each port's rings, which are its own.
//
// Published by one pointer (publication.h), immutable, replaced whole.
//
// Threads: built by the main thread, read by workers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bridge/topology.h"
#include "vhost/receive.h"
#include "vhost/transmit.h"

namespace datapath {

struct PortRings {
  vhost::TransmitRing* transmit = nullptr;
  vhost::ReceiveRing* receive = nullptr;
};

struct Snapshot {
  bridge::Topology topology;
  std::array<PortRings, bridge::Topology::kPorts> rings{};
  std::vector<std::vector<uint16_t>> polled;  // for each worker, the ports it takes frames from
};

}  // namespace datapath
