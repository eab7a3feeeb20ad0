// A driver for the VMM of fake_vmm.cc, so that the launcher can be tested without guests.
#pragma once

#include "vmm/vmm.h"

namespace launcher {

const VmmDriver& fake_driver(VmmKind kind);

}  // namespace launcher
