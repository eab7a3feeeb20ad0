#include "bench/live.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "bench/cpu.h"
#include "bench/report.h"
#include "bench/switchd_probe.h"
#include "client/rpc_client.h"

namespace bench {
namespace {

// A port that lives as long as this object.
class TemporaryPort {
 public:
  TemporaryPort(client::RpcClient& client, std::string name)
      : client_(client), name_(std::move(name)) {
    const nlohmann::json port = client_.call("port.add", {{"name", name_}, {"transient", true}});
    socket_ = port.at("socket").get<std::string>();
  }
  ~TemporaryPort() {
    try {
      client_.call("port.remove", {{"name", name_}, {"force", true}});
    } catch (const std::exception&) {
      // The switch is gone, and the port with it: it was transient.
    }
  }
  TemporaryPort(const TemporaryPort&) = delete;
  TemporaryPort& operator=(const TemporaryPort&) = delete;
  const std::string& socket() const { return socket_; }

 private:
  client::RpcClient& client_;
  std::string name_;
  std::string socket_;
};

// The first CPU that no worker polls on; the first at all when there is none.
int cpu_beside(const nlohmann::json& status) {
  std::set<int> workers;
  for (const nlohmann::json& cpu : status.at("workers")) workers.insert(cpu.get<int>());
  const std::vector<int> cpus = allowed_cpus();
  const auto found =
      std::find_if(cpus.begin(), cpus.end(), [&](int cpu) { return workers.count(cpu) == 0; });
  return found != cpus.end() ? *found : cpus.at(0);
}

}  // namespace

nlohmann::json measure_live(const std::string& control_socket, const MeasurementOptions& wanted,
                            std::ostream& out) {
  client::RpcClient client(control_socket);
  const nlohmann::json status = client.call("status");
  out << "switchd " << status.at("version").get<std::string>() << ", process "
      << status.at("pid").get<int64_t>() << ", " << status.at("cpu_level").get<std::string>()
      << ", " << status.at("poll").get<std::string>() << " polling\n";
  const std::string prefix = "bench-" + std::to_string(getpid()) + "-";
  const TemporaryPort first(client, prefix + "a");
  const TemporaryPort second(client, prefix + "b");

  MeasurementOptions options = wanted;
  if (options.traffic.cpu < 0) options.traffic.cpu = cpu_beside(status);
  options.traffic.sockets = {first.socket(), second.socket()};
  SwitchdProbe probe(control_socket);
  nlohmann::json results = nlohmann::json::array();
  for (const uint32_t size : {64u, 1518u}) {
    options.traffic.frame_size = size;
    const Measurement result = measure(options, &probe);
    print(out, options, result);
    out << std::flush;
    results.push_back(to_json(options, result));
  }
  return {{"switchd", status}, {"results", results}};
}

}  // namespace bench
