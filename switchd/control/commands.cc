#include "control/commands.h"

#include <algorithm>
#include <array>

#include "control/command_rows.h"
#include "control/json_rpc.h"
#include "control/value.h"

namespace control {
namespace {

using nlohmann::json;

constexpr std::array<CommandRow, 12> kRows = {{
    {"status", "the switch as a whole", status},
    {"port.list", "all ports with their state", port_list},
    {"port.show", "one port with its counters, and its protocol history if wanted", port_show},
    {"port.add", "add a port, for good unless transient", port_add},
    {"port.remove", "remove a port; with a guest attached only when forced", port_remove},
    {"mac.list", "the MAC table, or one port's part of it", mac_list},
    {"mac.add", "add a static address, for good unless transient", mac_add},
    {"mac.remove", "forget one address", mac_remove},
    {"mac.flush", "forget all learned addresses, or one port's", mac_flush},
    {"stats.get", "the counters of ports and workers", stats_get},
    {"log.set_level", "how much the log says", log_set_level},
    {"events.subscribe", "get a notification for each event from now on", events_subscribe},
}};

const CommandRow& find(const std::string& method) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const CommandRow& each) { return each.name == method; });
  if (row == kRows.end()) throw RpcFailure(kMethodNotFound, "no method '" + method + "'");
  return *row;
}

}  // namespace

std::span<const CommandRow> command_table() {
  return kRows;
}

json run_command(CommandContext& context, const std::string& method, const json& params,
                 const std::function<void()>& subscribe) {
  const CommandRow& row = find(method);
  Params reader(params);
  Call call{context, reader, subscribe};
  try {
    return row.run(call);
  } catch (const RpcFailure&) {
    throw;
  } catch (const ConfigError& error) {
    throw RpcFailure(kInvalidParams, error.what());
  } catch (const std::runtime_error& error) {
    // SwitchError, StateError and what the system refuses.
    throw RpcFailure(kRefused, error.what());
  }
}

}  // namespace control
