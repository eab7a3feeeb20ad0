// Taking a NIC's interface down and bringing it back as it was: name, link state, MTU, addresses
// and routes, its place in a bridge or bond, and the VLANs on it. A driver that comes back makes a
// new, empty interface, and on a host whose network is set up once at boot nobody would configure
// it again.
#pragma once

#include <chrono>
#include <vector>

#include "host_snapshot.h"
#include "state_file.h"

namespace vfio_setup {

// All of it as it is now; the kernel's own and those of router advertisements are
// left out, since they come back by themselves.
SavedInterface save_interface(const Paths& paths, const NetInterface& interface);

// The MAC address that the interface has by itself.
std::string permanent_mac(const std::string& interface);

void take_down(const SavedInterface& interface);

// Waits for the device's interfaces to appear (udev renames them first, where it runs), gives
// them their old names where those are free, and sets what was up up again and, what was saved
// in this boot, configures it. What cannot be set again is returned as warnings: the NIC is
// back, and that matters more.
std::vector<std::string> bring_back(const Paths& paths, const SavedDevice& device,
                                    std::chrono::milliseconds patience = std::chrono::seconds(15));

}  // namespace vfio_setup
