// switchd's own counters over its control socket (stats.get), summed over its workers.
// accounted: against the TSC between the two answers; within 1 % of 1 on a healthy switch.
#pragma once

#include <cstdint>
#include <string>

#include "bench/probe.h"
#include "client/rpc_client.h"

namespace bench {

class SwitchdProbe : public Probe {
 public:
  explicit SwitchdProbe(const std::string& control_socket);
  void start() override;
  ProbeResult stop() override;
  std::optional<int> worker_cpu() override;

 private:
  struct Sums {
    uint64_t tsc = 0;
    uint64_t workers = 0;
    uint64_t turns = 0;
    uint64_t busy_turns = 0;
    uint64_t busy_cycles = 0;
    uint64_t all_cycles = 0;
    uint64_t frames = 0;
    uint64_t delivered = 0;
    nlohmann::json raw;
  };
  Sums ask();

  client::RpcClient client_;
  Sums start_;
};

}  // namespace bench
