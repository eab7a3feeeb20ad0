// What a switch itself says of a stretch of time: the frames it received and the TSC cycles they
// took. start() and stop() are called while traffic runs.
//
// Cycles a frame, for every switch alike: cycles of whole turns of its poll loop that moved a
// frame, scans of empty rings included, over frames received. How each switch counts that is in
// the probe's own header.
//
// Errors: BenchError names the socket asked.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace bench {

struct ProbeResult {
  uint64_t frames = 0;                // received by the switch
  double busy_cycles = 0;             // of turns that moved a frame
  std::optional<uint64_t> delivered;  // copies handed out, where the switch counts them
  std::optional<double> idle_turns;   // share of turns that moved nothing
  std::optional<double> accounted;    // (busy + idle + asleep) / wall: 1 when nothing is missing
  nlohmann::json raw;                 // what the switch said, for those who doubt
};

class Probe {
 public:
  virtual ~Probe() = default;
  virtual void start() = 0;
  virtual ProbeResult stop() = 0;
  // CPU of the only worker, where the switch says.
  virtual std::optional<int> worker_cpu() { return std::nullopt; }
};

// `none`, `switchd:SOCKET`, `ovs:SOCKET`, `vpp:SOCKET`. Null for none. `vppctl`: that program.
std::unique_ptr<Probe> make_probe(const std::string& description, const std::string& vppctl);

}  // namespace bench
