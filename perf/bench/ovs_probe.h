// Open vSwitch with DPDK, over ovs-vswitchd's control socket (JSON-RPC, ovs-appctl(8)):
// dpif-netdev/pmd-stats-clear, then pmd-stats-show and pmd-perf-show, summed over the PMD threads.
// Its "processing cycles" are those of iterations that moved a packet.
#pragma once

#include <string>

#include "bench/probe.h"

namespace bench {

class OvsProbe : public Probe {
 public:
  explicit OvsProbe(std::string control_socket) : socket_(std::move(control_socket)) {}
  void start() override;
  ProbeResult stop() override;

  // The two reports, as text, into a result; apart for tests.
  static ProbeResult parse(const std::string& stats, const std::string& perf);

 private:
  std::string ask(const std::string& method) const;

  std::string socket_;
};

}  // namespace bench
