#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "control/command_rows.h"
#include "control/features.h"
#include "control/port_settings_table.h"

namespace control {
namespace {

using nlohmann::json;

const char* state_name(datapath::PortState state) {
  switch (state) {
    case datapath::PortState::listening:
      return "listening";
    case datapath::PortState::connecting:
      return "connecting";
    case datapath::PortState::connected:
      return "connected";
    case datapath::PortState::attached:
      return "attached";
    case datapath::PortState::faulted:
      return "faulted";
  }
  return "unknown";
}

// JSON readers may keep numbers as doubles: 64 feature bits travel as text.
std::string hexadecimal(uint64_t bits) {
  std::array<char, 19> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(bits));
  return text.data();
}

// Where a port comes from, which says whether it will be there after a restart.
const char* origin_name(const CommandContext& context, const std::string& name) {
  if (context.configured.count(name) != 0) return "configuration";
  return context.state.has_port(name) ? "state" : "transient";
}

json port_json(const CommandContext& context, const datapath::PortInfo& port) {
  PortConfig config;
  config.settings = port.settings;
  json object = port_settings_json(config);
  object.erase("static_macs");  // mac.list has them, with those added since
  object["state"] = state_name(port.state);
  object["reason"] = port.reason;
  object["vmm_pid"] = or_null(port.vmm_pid);
  object["vmm_uid"] = or_null(port.vmm_uid);
  object["features"] = hexadecimal(port.features);
  object["feature_names"] = feature_names(port.features);
  object["running_queues"] = port.running_queues;
  object["worker_cpu"] = port.worker_cpu;
  object["macs"] = port.macs;
  object["origin"] = origin_name(context, port.settings.name);
  return object;
}

void start_port(CommandContext& context, const PortConfig& port, bool transient) {
  const std::string& name = port.settings.name;
  context.net.add_port(port.settings);
  try {
    for (const bridge::MacAddress& mac : port.static_macs) context.net.add_static_mac(mac, name);
    if (!transient) context.state.add_port(port);
  } catch (...) {
    context.net.remove_port(name, true);
    throw;
  }
}

}  // namespace

datapath::PortInfo find_port(const CommandContext& context, const std::string& name) {
  for (const datapath::PortInfo& port : context.net.ports()) {
    if (port.settings.name == name) return port;
  }
  throw datapath::SwitchError("there is no port '" + name + "'; port list names all");
}

json port_list(Call& call) {
  call.params.done();
  json ports = json::array();
  for (const datapath::PortInfo& port : call.context.net.ports()) {
    ports.push_back(port_json(call.context, port));
  }
  return {{"ports", ports}};
}

json port_show(Call& call) {
  const std::string name = call.params.text("name");
  const bool messages = call.params.flag("messages");
  call.params.done();
  json object = port_json(call.context, find_port(call.context, name));
  object["counters"] = counters_json(call.context.net.counters(name));
  if (messages) object["messages"] = call.context.net.messages(name);
  return object;
}

json port_add(Call& call) {
  CommandContext& context = call.context;
  const bool transient = call.params.flag("transient");
  PortConfig port = port_from_json(call.params.rest(), "");
  const std::string& name = port.settings.name;
  if (port.settings.socket.empty()) {
    port.settings.socket = context.configuration.socket_dir / (name + ".sock");
  }
  check_port(port, context.identity);
  start_port(context, port, transient);
  std::erase_if(context.unrestored, [&](const Unrestored& each) { return each.name == name; });
  return port_json(context, find_port(context, name));
}

json port_remove(Call& call) {
  CommandContext& context = call.context;
  const std::string name = call.params.text("name");
  const bool force = call.params.flag("force");
  call.params.done();
  // A port that could not be had again at start is still in the state file, and only there.
  const auto lost = std::find_if(context.unrestored.begin(), context.unrestored.end(),
                                 [&](const Unrestored& each) { return each.name == name; });
  if (lost != context.unrestored.end()) {
    context.state.remove_port(name);
    context.unrestored.erase(lost);
    return {{"removed", name}};
  }
  context.net.remove_port(find_port(context, name).settings.name, force);
  context.configured.erase(name);
  try {
    context.state.remove_port(name);
  } catch (const StateError& error) {
    throw StateError("port '" + name +
                     "' is removed, but will be there again after a restart: " + error.what());
  }
  return {{"removed", name}};
}

}  // namespace control
