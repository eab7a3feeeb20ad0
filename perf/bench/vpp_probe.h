// VPP, through its own vppctl: `clear runtime`, then `show runtime`. The cycles are the sum over
// all nodes of all worker threads, polls included: clocks are per vector, or per call where a node
// moved none. Frames are what the vhost-user input nodes took.
#pragma once

#include <string>

#include "bench/probe.h"

namespace bench {

class VppProbe : public Probe {
 public:
  VppProbe(std::string cli_socket, std::string vppctl)
      : socket_(std::move(cli_socket)), vppctl_(std::move(vppctl)) {}
  void start() override;
  ProbeResult stop() override;

  static ProbeResult parse(const std::string& runtime);

 private:
  std::string run(const std::string& first, const std::string& second) const;

  std::string socket_;
  std::string vppctl_;
};

}  // namespace bench
