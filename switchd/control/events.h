// Events of the switch as clients of the control socket see them.
//
// Threads: any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "datapath/switch_api.h"

namespace control {

std::string_view event_name(datapath::Event::Kind kind);
nlohmann::json event_json(const datapath::Event& event);  // stamped with the present time
void log_event(const datapath::Event& event);

}  // namespace control
