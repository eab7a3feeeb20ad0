#include "bridge/topology.h"

#include "policy/table.h"

namespace bridge {

Topology::Topology(const std::vector<TopologyPort>& ports) {
  for (const TopologyPort& from : ports) {
    present_[from.index] = true;
    for (const TopologyPort& to : ports) {
      if (from.index == to.index || !policy::may_reach(from.rules, to.rules)) continue;
      reach_[from.index][to.index] = true;
      flood_[from.index].push_back(to.index);
    }
  }
}

}  // namespace bridge
