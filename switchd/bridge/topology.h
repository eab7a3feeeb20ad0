// Which ports there are and who may reach whom: an immutable snapshot.
//
// Built by the main thread whenever a port comes or goes, published by one pointer; a worker picks
// it up at the start of its next turn and keeps it for that turn. Ports are known by index. What
// policies say of a pair of ports is decided here, once.
//
// Threads: immutable after construction.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "policy/port_rules.h"

namespace bridge {

struct TopologyPort {
  uint16_t index = 0;
  policy::PortRules rules;
};

class Topology {
 public:
  static constexpr unsigned kPorts = 256;

  explicit Topology(const std::vector<TopologyPort>& ports);
  Topology() : Topology(std::vector<TopologyPort>{}) {}

  bool has(uint16_t port) const noexcept { return present_[port]; }
  bool reaches(uint16_t from, uint16_t to) const noexcept { return reach_[from][to]; }
  // Where a frame from `port` is flooded to: every port it reaches but itself.
  const std::vector<uint16_t>& flood(uint16_t port) const noexcept { return flood_[port]; }

 private:
  std::bitset<kPorts> present_;
  std::array<std::bitset<kPorts>, kPorts> reach_;
  std::array<std::vector<uint16_t>, kPorts> flood_;
};

}  // namespace bridge
