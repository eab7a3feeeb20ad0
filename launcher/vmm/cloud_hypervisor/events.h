// What cloud-hypervisor's event monitor says: pretty-printed JSON objects with an empty line
// between them, each {"timestamp", "source", "event", "properties"} (event_monitor/ of its source).
#pragma once

#include <nlohmann/json.hpp>

#include "vmm/json_stream.h"
#include "vmm/vmm.h"

namespace launcher::cloud_hypervisor {

JsonStream event_stream();

// For device_removed the detail is the device's id, for others "source event key=value".
VmmEvent to_event(const nlohmann::json& event);

}  // namespace launcher::cloud_hypervisor
