#include "bench/probe.h"

#include "bench/error.h"
#include "bench/ovs_probe.h"
#include "bench/switchd_probe.h"
#include "bench/vpp_probe.h"

namespace bench {

std::unique_ptr<Probe> make_probe(const std::string& description, const std::string& vppctl) {
  if (description == "none") return nullptr;
  const std::size_t colon = description.find(':');
  const std::string kind = description.substr(0, colon);
  const std::string socket = colon == std::string::npos ? "" : description.substr(colon + 1);
  if (socket.empty()) {
    throw BenchError("--probe " + description +
                     ": write none, switchd:SOCKET, ovs:SOCKET or vpp:SOCKET");
  }
  if (kind == "switchd") return std::make_unique<SwitchdProbe>(socket);
  if (kind == "ovs") return std::make_unique<OvsProbe>(socket);
  if (kind == "vpp") return std::make_unique<VppProbe>(socket, vppctl);
  throw BenchError("--probe: there is no probe '" + kind +
                   "'; there are none, switchd, ovs and vpp");
}

}  // namespace bench
