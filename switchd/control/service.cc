#include "control/service.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "control/events.h"
#include "control/json_rpc.h"

namespace control {
namespace {

vhost::SocketAccess control_access(const Configuration& configuration) {
  vhost::SocketAccess access;
  access.mode = configuration.control_socket_mode;
  access.group = configuration.control_socket_group;
  return access;
}

}  // namespace

Service::Service(boost::asio::io_context& loop, const Configuration& configuration,
                 StateFile& state, datapath::SwitchApi& net)
    : context_{net, state, configuration, current_identity(), {}, {}},
      server_(loop, configuration.control_socket, control_access(configuration),
              [this](std::string_view line, const std::function<void()>& subscribe) {
                return answer_line(line, subscribe);
              }) {
  net.on_event([this](const datapath::Event& event) {
    log_event(event);
    server_.publish(event_json(event));
  });
}

Service::~Service() {
  context_.net.on_event(nullptr);
}

std::string Service::answer_line(std::string_view line, const std::function<void()>& subscribe) {
  return answer(line, [&](const std::string& method, const nlohmann::json& params) {
    return run_command(context_, method, params, subscribe);
  });
}

void Service::start() {
  add_configured_ports();
  restore_ports();
  restore_macs();
  server_.start();
}

void Service::add_configured_ports() {
  for (const PortConfig& port : context_.configuration.ports) {
    context_.net.add_port(port.settings);
    context_.configured.insert(port.settings.name);
    for (const bridge::MacAddress& mac : port.static_macs) {
      context_.net.add_static_mac(mac, port.settings.name);
    }
  }
}

void Service::restore_ports() {
  for (const PortConfig& port : context_.state.ports()) {
    if (context_.configured.count(port.settings.name) != 0) {
      spdlog::warn("port {} of the state file is in the configuration, too, which wins",
                   port.settings.name);
      continue;
    }
    restore_port(port);
  }
}

void Service::restore_port(const PortConfig& port) {
  try {
    check_port(port, context_.identity);
    context_.net.add_port(port.settings);
  } catch (const std::runtime_error& error) {
    give_up(port.settings.name, error.what());
  }
}

void Service::restore_macs() {
  for (const StaticMac& mac : context_.state.macs()) {
    try {
      context_.net.add_static_mac(mac.address, mac.port);
    } catch (const std::runtime_error& error) {
      give_up(mac.address.to_string(), error.what());
    }
  }
}

void Service::give_up(const std::string& name, const std::string& reason) {
  spdlog::error("{} of state file {} is not restored: {}", name,
                context_.state.path().value_or("").string(), reason);
  context_.unrestored.push_back({name, reason});
}

std::string Service::summary() const {
  const size_t ports = context_.net.ports().size();
  const datapath::SwitchStatus status = context_.net.status();
  std::string cpus;
  for (const datapath::WorkerInfo& worker : context_.net.workers()) {
    cpus += (cpus.empty() ? "" : ",") + std::to_string(worker.cpu);
  }
  return std::to_string(ports) + (ports == 1 ? " port" : " ports") + ", CPU " + cpus + ", " +
         status.cpu_level + ", polling " + status.poll + ", control socket " +
         context_.configuration.control_socket.string();
}

}  // namespace control
