// What a client of the control socket may ask: one row a method (docs/control-api.md).
//
// A method takes its parameters by name, strictly, and returns an object. Changes at run time are
// kept in the state file unless they are transient; a change that cannot be kept is undone, so that
// success always means "and it stays".
//
// Threads: main thread. Errors: RpcFailure, with the code that the client gets.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/configuration.h"
#include "control/params.h"
#include "control/state_file.h"
#include "datapath/switch_api.h"

namespace control {

// Something of the state file that could not be had again at start.
struct Unrestored {
  std::string name;  // of the port, or the address
  std::string reason;
};

// What the methods work on.
struct CommandContext {
  datapath::SwitchApi& net;
  StateFile& state;
  const Configuration& configuration;
  Identity identity;                 // as whom we run now
  std::set<std::string> configured;  // ports of the configuration that are still there
  std::vector<Unrestored> unrestored;
};

// One request under way.
struct Call {
  CommandContext& context;
  Params& params;
  const std::function<void()>& subscribe;  // the client wants events from now on
};

struct CommandRow {
  std::string_view name;
  std::string_view summary;
  nlohmann::json (*run)(Call& call);
};

std::span<const CommandRow> command_table();

nlohmann::json run_command(CommandContext& context, const std::string& method,
                           const nlohmann::json& params, const std::function<void()>& subscribe);

}  // namespace control
