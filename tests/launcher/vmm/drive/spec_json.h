// A VmSpec as JSON, for the programs of these tests.
#pragma once

#include <nlohmann/json.hpp>

#include "vmm/vmm.h"

namespace launcher {

VmNet net_from(const nlohmann::json& net);
VmSpec spec_from(const nlohmann::json& spec);

}  // namespace launcher
