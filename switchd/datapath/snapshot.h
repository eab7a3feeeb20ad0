// What a worker needs to know for a turn: who may reach whom, which rings of each port run, which
// of them are its own to poll.
//
// Published by one pointer (publication.h), immutable, replaced whole: when a port comes or goes,
// and when one of a port's rings starts or stops. So a turn never meets a ring that has stopped,
// but for one that it gives up itself.
//
// Threads: built by the main thread and rte_vhost's (workers.h), read by workers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "bridge/topology.h"
#include "vhost/poller.h"
#include "vhost/receive.h"
#include "vhost/transmit.h"

namespace datapath {

// Rings of one port that run, by pair.
template <typename Ring>
struct RingSet {
  uint16_t count = 0;
  std::array<Ring*, vhost::kMaxQueuePairs> ring{};

  void add(Ring* one) { ring[count++] = one; }
};

// What a worker polls of one port.
struct PolledPort {
  uint16_t port = 0;
  RingSet<vhost::TransmitRing> rings;
};

struct Snapshot {
  std::shared_ptr<const bridge::Topology> topology = std::make_shared<bridge::Topology>();
  std::array<RingSet<vhost::ReceiveRing>, bridge::Topology::kPorts> receivers{};
  std::vector<std::vector<PolledPort>> polled;  // for each worker
  // How often each index was given to a port.
  std::array<uint32_t, bridge::Topology::kPorts> tenancy{};
};

}  // namespace datapath
