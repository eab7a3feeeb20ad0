#include "runtime/switch_requests.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "client/rpc_client.h"
#include "runtime/accounts.h"

namespace launcher {
namespace {

using nlohmann::json;

// Root gives the socket to the VM's user afterwards. Without root it stays the switch's user's, and
// where that is not ours we get in as the one user that the switch lets in; others are turned away
// once they have connected.
const char* socket_mode(const PortRequest& request) {
  return geteuid() == 0 || geteuid() == request.switch_user ? "0600" : "0666";
}

json add_params(const PortRequest& request) {
  const PortWish& wish = request.wish;
  const uid_t uid = wish.user ? wish.user->uid : geteuid();
  // cloud-hypervisor passes an MTU on to its guest where the port offers one, and only there.
  json params = {{"name", request.name},
                 {"transient", true},
                 {"mtu", wish.mtu},
                 {"isolated", wish.isolated},
                 {"queues", wish.queues},
                 {"socket_mode", socket_mode(request)},
                 {"allow_uid", json::array({uid})}};
  if (!wish.mac.empty()) params["static_macs"] = json::array({wish.mac});
  return params;
}

// The port that is there already; null: none, or another's, which the switch will tell.
json find_port(const PortRequest& request) {
  const json list = ask(request.control_socket, "port.list", json::object());
  for (const json& port : list.at("ports")) {
    if (port.at("name") == request.name && port.value("origin", "") == "transient") return port;
  }
  return nullptr;
}

void refuse_if_in_use(const json& port, const PortRequest& request) {
  const auto pid = port.find("vmm_pid");
  if (pid == port.end() || !pid->is_number_integer()) return;
  if (kill(pid->get<pid_t>(), 0) != 0 && errno == ESRCH) return;
  throw PortInUse("port " + request.name + " of the switch at " + request.control_socket.string() +
                  " is in use by a VMM, process id " + pid->dump() +
                  ": another launcher runs that VM; end it first");
}

}  // namespace

json ask(const std::filesystem::path& control_socket, const std::string& method,
         const json& params) {
  return client::RpcClient(control_socket).call(method, params);
}

json make_port(const PortRequest& request) {
  const json found = find_port(request);
  if (request.keeps && !found.is_null()) return found;
  if (!found.is_null()) {
    refuse_if_in_use(found, request);
    ask(request.control_socket, "port.remove", {{"name", request.name}, {"force", true}});
  }
  if (request.wish.user) {
    const json status = ask(request.control_socket, "status", json::object());
    const std::filesystem::path directory = status.value("socket_dir", "");
    remove_stale_socket(directory / (request.name + ".sock"), request.switch_user,
                        *request.wish.user);
  }
  return ask(request.control_socket, "port.add", add_params(request));
}

}  // namespace launcher
