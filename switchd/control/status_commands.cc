#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/counters.h"
#include "control/command_rows.h"
#include "control/json_rpc.h"
#include "control/logging.h"
#include "control/version.h"

namespace control {
namespace {

using nlohmann::json;

template <size_t N>
json named(const std::array<uint64_t, N>& values, const std::array<std::string_view, N>& names) {
  json object = json::object();
  for (size_t i = 0; i < N; ++i) object[std::string(names[i])] = values[i];
  return object;
}

json worker_json(const datapath::WorkerInfo& worker) {
  return {{"cpu", worker.cpu},
          {"turns", worker.turns},
          {"busy_turns", worker.busy_turns},
          {"busy_cycles", worker.busy_cycles},
          {"idle_cycles", worker.idle_cycles},
          {"sleep_cycles", worker.sleep_cycles},
          {"sleeps", worker.sleeps},
          {"frames", worker.frames},
          {"delivered", worker.delivered},
          {"notifications", worker.notifications},
          {"ports", worker.ports}};
}

json port_stats(const CommandContext& context, const std::string& name) {
  json object = counters_json(context.net.counters(name));
  object["name"] = name;
  return object;
}

json unrestored_json(const CommandContext& context) {
  json list = json::array();
  for (const Unrestored& each : context.unrestored) {
    list.push_back({{"name", each.name}, {"reason", each.reason}});
  }
  return list;
}

}  // namespace

json counters_json(const datapath::PortCounters& counters) {
  return {{"ingress", named(counters.ingress, bridge::kIngressNames)},
          {"egress", named(counters.egress, bridge::kEgressNames)},
          {"learning", named(counters.learning, bridge::kLearningNames)}};
}

json status(Call& call) {
  call.params.done();
  const CommandContext& context = call.context;
  const datapath::SwitchStatus status = context.net.status();
  const std::vector<datapath::PortInfo> ports = context.net.ports();
  const auto attached = std::count_if(ports.begin(), ports.end(), [](const auto& port) {
    return port.state == datapath::PortState::attached;
  });
  json workers = json::array();
  for (const datapath::WorkerInfo& worker : context.net.workers()) workers.push_back(worker.cpu);
  const auto& state_file = context.state.path();
  return {{"version", version()},
          {"pid", getpid()},
          {"uptime_s", status.uptime.count()},
          {"cpu_level", status.cpu_level},
          {"poll", status.poll},
          {"tsc_hz", status.tsc_hz},
          {"workers", workers},
          {"ports", ports.size()},
          {"attached", attached},
          {"macs", status.macs},
          {"mac_table_size", status.mac_table_size},
          {"socket_dir", context.configuration.socket_dir.string()},
          {"state_file", state_file ? json(state_file->string()) : json()},
          {"log_level", log_level()},
          {"unrestored", unrestored_json(context)}};
}

json stats_get(Call& call) {
  const auto only = call.params.optional_text("port");
  call.params.done();
  const CommandContext& context = call.context;
  json ports = json::array();
  if (only) {
    ports.push_back(port_stats(context, find_port(context, *only).settings.name));
  } else {
    for (const datapath::PortInfo& port : context.net.ports()) {
      ports.push_back(port_stats(context, port.settings.name));
    }
  }
  json workers = json::array();
  for (const datapath::WorkerInfo& worker : context.net.workers()) {
    workers.push_back(worker_json(worker));
  }
  return {{"tsc_hz", context.net.status().tsc_hz}, {"ports", ports}, {"workers", workers}};
}

json log_set_level(Call& call) {
  const std::string level = call.params.text("level");
  call.params.done();
  if (!is_log_level(level)) {
    throw RpcFailure(kInvalidParams,
                     "'" + level + "' is no log level; one of " + log_level_names());
  }
  set_log_level(level);
  return {{"level", level}};
}

json events_subscribe(Call& call) {
  call.params.done();
  call.subscribe();
  return {{"subscribed", true}};
}

}  // namespace control
