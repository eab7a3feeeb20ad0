#include "runtime/control_server.h"

#include <boost/asio/co_spawn.hpp>
#include <utility>

#include "process/error.h"
#include "topology/address.h"

namespace launcher {
namespace {

namespace asio = boost::asio;
using nlohmann::json;

// Only the owner of the launcher gets here; what it sends is checked for its kind all the same.
template <typename T>
T member(const json& params, const char* name, T otherwise) {
  try {
    return params.value(name, otherwise);
  } catch (const json::exception&) {
    throw LaunchError(std::string("parameter '") + name + "' is of the wrong kind");
  }
}

std::string needed(const json& params, const char* name) {
  std::string value = member<std::string>(params, name, "");
  if (value.empty()) throw LaunchError(std::string("parameter '") + name + "' is missing");
  return value;
}

NetConfig net_of(const json& params) {
  NetConfig net;
  net.segment = member<std::string>(params, "segment", net.segment);
  if (params.contains("isolated")) net.isolated = member(params, "isolated", false);
  const int mtu = member<int>(params, "mtu", net.mtu);
  const int queues = member<int>(params, "queues", net.queues);
  if (mtu < kLeastMtu || mtu > kMostMtu) {
    throw LaunchError("the MTU is from " + std::to_string(kLeastMtu) + " to " +
                      std::to_string(kMostMtu));
  }
  if (queues < 1 || queues > kMostQueuePairs) {
    throw LaunchError("queues are from 1 to " + std::to_string(kMostQueuePairs));
  }
  net.mtu = static_cast<uint16_t>(mtu);
  net.queues = static_cast<uint16_t>(queues);
  const std::string mac = member<std::string>(params, "mac", "");
  if (mac.empty()) return net;
  const auto parsed = parse_mac(mac);
  if (!parsed || is_group(*parsed)) throw LaunchError("'" + mac + "' is no address of a station");
  net.mac = mac_text(*parsed);
  return net;
}

}  // namespace

ControlServer::ControlServer(asio::io_context& loop, const std::filesystem::path& socket,
                             Supervisor& supervisor, Progress& progress, std::function<void()> down)
    : loop_(loop),
      supervisor_(supervisor),
      progress_(progress),
      down_(std::move(down)),
      clients_(loop, socket, [this](Listener::Socket client) { serve(std::move(client)); }) {
  listener_ = progress_.add([this](const std::string& line) {
    const auto sessions = sessions_;
    for (const auto& session : sessions) session->notify(line);
  });
}

ControlServer::~ControlServer() {
  progress_.remove(listener_);
  for (const auto& session : sessions_) session->close();
}

void ControlServer::serve(Listener::Socket client) {
  const auto session =
      std::make_shared<ControlSession>(std::move(client), [this](std::string method, json params) {
        return handle(std::move(method), std::move(params));
      });
  sessions_.insert(session);
  auto serving = session->serve();
  asio::co_spawn(loop_, std::move(serving),
                 [this, session, alive = std::weak_ptr(alive_)](const std::exception_ptr&) {
                   if (!alive.expired()) sessions_.erase(session);
                 });
}

Task<json> ControlServer::handle(std::string method, json params) {
  if (method == "status") co_return supervisor_.status();
  if (method == "down") {
    down_();
    co_return json{{"down", true}};
  }
  if (method == "start") {
    auto names = member<std::vector<std::string>>(params, "vms", {});
    co_await supervisor_.start(std::move(names));
    co_return supervisor_.status();
  }
  std::string vm = needed(params, "vm");
  const bool with_dependents = member(params, "with_dependents", false);
  if (method == "stop") {
    co_await supervisor_.stop(std::move(vm), with_dependents);
    co_return supervisor_.status();
  }
  if (method == "restart") {
    co_await supervisor_.restart(std::move(vm), with_dependents);
    co_return supervisor_.status();
  }
  if (method == "add-net") {
    NetConfig net = net_of(params);
    co_return co_await supervisor_.add_net(std::move(vm), std::move(net));
  }
  if (method == "add-device") {
    std::string device = needed(params, "device");
    co_return co_await supervisor_.add_device(std::move(vm), std::move(device));
  }
  if (method == "remove-device") {
    std::string id = needed(params, "id");
    co_await supervisor_.remove_device(std::move(vm), std::move(id));
    co_return json{{"removed", true}};
  }
  throw LaunchError("there is no method '" + method + "'");
}

}  // namespace launcher
