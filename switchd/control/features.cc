#include "control/features.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace control {
namespace {

struct FeatureName {
  unsigned bit;
  std::string_view name;
};

constexpr std::array<FeatureName, 30> kNames = {{
    {0, "CSUM"},
    {1, "GUEST_CSUM"},
    {2, "CTRL_GUEST_OFFLOADS"},
    {3, "MTU"},
    {5, "MAC"},
    {7, "GUEST_TSO4"},
    {8, "GUEST_TSO6"},
    {9, "GUEST_ECN"},
    {10, "GUEST_UFO"},
    {11, "HOST_TSO4"},
    {12, "HOST_TSO6"},
    {13, "HOST_ECN"},
    {14, "HOST_UFO"},
    {15, "MRG_RXBUF"},
    {16, "STATUS"},
    {17, "CTRL_VQ"},
    {18, "CTRL_RX"},
    {19, "CTRL_VLAN"},
    {21, "GUEST_ANNOUNCE"},
    {22, "MQ"},
    {23, "CTRL_MAC_ADDR"},
    {24, "NOTIFY_ON_EMPTY"},
    {26, "LOG_ALL"},  // vhost-user: the VM migrates
    {27, "ANY_LAYOUT"},
    {28, "INDIRECT_DESC"},
    {29, "EVENT_IDX"},
    {30, "PROTOCOL_FEATURES"},  // vhost-user, "Protocol features"
    {32, "VERSION_1"},
    {34, "RING_PACKED"},
    {35, "IN_ORDER"},
}};

}  // namespace

std::vector<std::string> feature_names(uint64_t features) {
  constexpr unsigned kBits = 64;
  std::vector<std::string> names;
  for (unsigned bit = 0; bit < kBits; ++bit) {
    if ((features >> bit & 1) == 0) continue;
    const auto known = std::find_if(kNames.begin(), kNames.end(),
                                    [&](const FeatureName& each) { return each.bit == bit; });
    names.push_back(known != kNames.end() ? std::string(known->name)
                                          : "BIT_" + std::to_string(bit));
  }
  return names;
}

}  // namespace control
