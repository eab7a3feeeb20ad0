// QEMU's events (qapi/run-state.json, qapi/qdev.json of its source) as the launcher's.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "vmm/vmm.h"

namespace launcher::qemu {

// A reset is two: "rebooting" and, as the machine runs on at once, "booted". For device_removed the
// detail is the device's id; the deletion of a part of a device is none.
std::vector<VmmEvent> to_events(const nlohmann::json& event);

}  // namespace launcher::qemu
