#include "cli/client_commands.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "client/rpc_client.h"
#include "ctl/table.h"
#include "process/error.h"
#include "runtime/state_directory.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A VM's stop may take its grace, a shutdown and a kill; a start its readiness.
constexpr std::chrono::seconds kLongest{3600};

client::RpcClient connect(const Options& options) {
  return client::RpcClient(running_directory(options) / "control.sock", "launcher");
}

json params_of(const Options& options) {
  const std::string& command = options.command;
  if (command == "start") return {{"vms", options.words}};
  if (options.words.empty()) return json::object();
  json params = {{"vm", options.words[0]}};
  if (command == "stop" || command == "restart") {
    params["with_dependents"] = options.with_dependents;
  }
  if (command == "add-device") params["device"] = options.words[1];
  if (command == "remove-device") params["id"] = options.words[1];
  if (command != "add-net") return params;
  if (options.isolated) params["isolated"] = *options.isolated;
  if (!options.segment.empty()) params["segment"] = options.segment;
  if (!options.mac.empty()) params["mac"] = options.mac;
  if (options.mtu != 0) params["mtu"] = options.mtu;
  if (options.queues != 0) params["queues"] = options.queues;
  return params;
}

std::string ports_text(const json& ports) {
  std::string text;
  for (const json& port : ports) {
    text += (text.empty() ? "" : ", ") + port.at("mac").get<std::string>() + " " +
            port.at("address").get<std::string>() + " (" + port.at("segment").get<std::string>() +
            ")";
  }
  return text.empty() ? "-" : text;
}

void print_status(const json& status) {
  std::cout << "topology " << status.at("topology").get<std::string>() << ", process id "
            << status.at("pid") << ", " << status.at("state_dir").get<std::string>() << "\n";
  switchctl::Table table(
      {"VM", "VMM", "STATE", ">PID", ">USER", ">UPTIME", ">RESTARTS", "INTERFACES", "LAST END"});
  for (const json& vm : status.at("vms")) {
    const auto cell = [&](const char* name) { return switchctl::cell(vm.at(name)); };
    std::string reason = vm.value("reason", "");
    reason = reason.substr(0, reason.find('\n'));
    table.add({cell("name"), cell("vmm"), cell("state"), cell("pid"), cell("user"),
               cell("uptime_s"), cell("restarts"), ports_text(vm.at("ports")),
               reason.empty() ? "-" : reason});
  }
  table.print(std::cout);
  for (const json& one : status.value("switches", json::array())) {
    if (one.value("state", "") != "away") continue;
    std::cout << "warning: the switch of segment " << one.at("segment").get<std::string>()
              << " is away; its ports are added again when it is back\n";
  }
  for (const json& warning : status.value("warnings", json::array())) {
    std::cout << "warning: " << warning.get<std::string>() << "\n";
  }
}

void print(const Options& options, const json& result) {
  if (options.json) {
    std::cout << result.dump(2) << "\n";
  } else if (options.command == "status") {
    print_status(result);
  } else if (options.command == "add-net" || options.command == "add-device") {
    std::cout << result.value("id", "") << "\n";
  }
}

// Follows the launcher's progress until it closes the connection: then everything is down.
int down(const Options& options) {
  client::RpcClient client = connect(options);
  client.call("down");
  try {
    while (true) {
      const auto event = client.next_event(kLongest);
      if (event) std::cout << event->value("line", "") << std::endl;
    }
  } catch (const client::ConnectError&) {
    return 0;
  }
}

}  // namespace

namespace {

// A launcher that was killed has left its socket.
bool is_answered(const fs::path& control_socket) {
  std::error_code error;
  if (!fs::exists(control_socket, error)) return false;
  try {
    const client::RpcClient answers(control_socket, "launcher");
    return true;
  } catch (const client::ConnectError&) {
    return false;
  }
}

}  // namespace

fs::path running_directory(const Options& options) {
  if (!options.state_dir.empty()) return options.state_dir;
  const fs::path all = launcher_directory();
  if (!options.topology.empty()) return all / options.topology;
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(all, error)) {
    if (is_answered(entry.path() / "control.sock")) found.push_back(entry.path());
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    throw LaunchError("no topology runs (" + all.string() + "); start one: launcher up FILE");
  }
  std::string names;
  for (const fs::path& one : found) names += " " + one.filename().string();
  throw LaunchError("several topologies run; choose one with --topology:" + names);
}

fs::path vm_path(const Options& options, const char* member) {
  const json status = connect(options).call("status");
  for (const json& vm : status.at("vms")) {
    if (vm.at("name") == options.words.at(0)) return vm.at(member).get<std::string>();
  }
  throw LaunchError("there is no VM '" + options.words.at(0) + "'");
}

int client_command(const Options& options) {
  if (options.command == "down") return down(options);
  client::RpcClient client = connect(options);
  client.timeout(kLongest);
  if (!options.json) {
    client.on_event([](const json& event) { std::cout << event.value("line", "") << std::endl; });
  }
  print(options, client.call(options.command, params_of(options)));
  return 0;
}

int logs_command(const Options& options) {
  constexpr std::chrono::milliseconds kPause{200};
  const fs::path path = vm_path(options, options.console ? "console_log" : "log");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw LaunchError(path.string() + ": cannot be read");
  const auto copy = [&] {
    char part[4096];
    while (stream.read(part, sizeof part), stream.gcount() > 0)
      std::cout.write(part, stream.gcount());
    std::cout.flush();
    stream.clear();
  };
  copy();
  while (options.follow && fs::exists(path)) {
    std::this_thread::sleep_for(kPause);
    copy();
  }
  return 0;
}

}  // namespace launcher
