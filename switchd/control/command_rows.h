// The functions behind the rows of commands.h, grouped by file: status_commands.cc,
// port_commands.cc, mac_commands.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "control/commands.h"

namespace control {

nlohmann::json status(Call& call);
nlohmann::json stats_get(Call& call);
nlohmann::json log_set_level(Call& call);
nlohmann::json events_subscribe(Call& call);

nlohmann::json port_list(Call& call);
nlohmann::json port_show(Call& call);
nlohmann::json port_add(Call& call);
nlohmann::json port_remove(Call& call);

nlohmann::json mac_list(Call& call);
nlohmann::json mac_add(Call& call);
nlohmann::json mac_remove(Call& call);
nlohmann::json mac_flush(Call& call);

// Shared by them.
datapath::PortInfo find_port(const CommandContext& context, const std::string& name);
nlohmann::json counters_json(const datapath::PortCounters& counters);

}  // namespace control
