#include <nlohmann/json.hpp>

#include "control/command_rows.h"
#include "control/json_rpc.h"

namespace control {
namespace {

using nlohmann::json;

json mac_json(const datapath::MacEntry& entry) {
  return {{"address", entry.address.to_string()},
          {"port", entry.port},
          {"static", entry.is_static},
          {"age_s", entry.age.count()}};
}

// What is tied to a port that goes with the process goes with it, too.
bool is_kept(const CommandContext& context, const std::string& port) {
  return context.configured.count(port) != 0 || context.state.has_port(port);
}

}  // namespace

json mac_list(Call& call) {
  const auto only = call.params.optional_text("port");
  call.params.done();
  if (only) find_port(call.context, *only);
  json macs = json::array();
  for (const datapath::MacEntry& entry : call.context.net.macs()) {
    if (!only || entry.port == *only) macs.push_back(mac_json(entry));
  }
  return {{"macs", macs}};
}

json mac_add(Call& call) {
  CommandContext& context = call.context;
  const bridge::MacAddress address = call.params.mac("address");
  const std::string port = call.params.text("port");
  const bool transient = call.params.flag("transient");
  call.params.done();
  if (address.is_group() || address.is_zero()) {
    throw RpcFailure(kInvalidParams, "member 'address' must be the address of a station, and " +
                                         address.to_string() + " is none");
  }
  find_port(context, port);
  context.net.add_static_mac(address, port);
  try {
    if (!transient && is_kept(context, port)) context.state.add_mac({address, port});
  } catch (...) {
    context.net.remove_mac(address);
    throw;
  }
  return {{"address", address.to_string()}, {"port", port}};
}

json mac_remove(Call& call) {
  const bridge::MacAddress address = call.params.mac("address");
  call.params.done();
  call.context.net.remove_mac(address);
  try {
    call.context.state.remove_mac(address);
  } catch (const StateError& error) {
    throw StateError(address.to_string() +
                     " is removed, but will be there again after a restart: " + error.what());
  }
  return {{"removed", address.to_string()}};
}

json mac_flush(Call& call) {
  const auto port = call.params.optional_text("port");
  call.params.done();
  if (port) find_port(call.context, *port);
  return {{"flushed", call.context.net.flush_macs(port)}};
}

}  // namespace control
