// What the kernel says of Landlock (landlock(7)). cloud-hypervisor needs ABI 3, Linux 6.2.
#pragma once

#include "topology/topology.h"

namespace launcher {

inline constexpr int kNeededLandlockAbi = 3;

int landlock_abi();  // 0: none

// Whether the VM's VMM is to use it. Throws LaunchError when it is wanted and cannot be had.
bool use_landlock(const VmConfig& vm);

// The kernel makes it with its first VFIO device. A VM that gets one later needs it before its
// start: Landlock's rules are of files that are there, and have no additions. Root alone can make
// it.
void make_vfio_directory();

}  // namespace launcher
