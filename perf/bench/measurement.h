// One measurement of one switch: traffic, warm-up, a window between two probes, exact loss.
#pragma once

#include <optional>

#include "bench/probe.h"
#include "bench/traffic.h"

namespace bench {

struct MeasurementOptions {
  TrafficOptions traffic;
  double seconds = 3;
  double warm_up = 1;
  std::optional<int> switch_cpu;
};

struct Measurement {
  double seconds = 0;  // of the window
  double sent_per_second = 0;
  double delivered_per_second = 0;
  double wall_cycles_a_frame = 0;  // of the load's clock: an upper bound for a switch without probe
  TrafficCounts total;             // of the whole run, exact
  uint64_t lost = 0;
  Traffic::Audit audit;
  std::optional<double> cycles_a_frame;
  std::optional<double> cycles_a_delivered;
  std::optional<double> round_trip_ns;
  std::optional<ProbeResult> probe;

  // The switch waited for frames: its cycles are not those of a busy one.
  bool unsaturated() const { return probe && probe->idle_turns.value_or(0) > 0.01; }
  uint64_t wrong() const { return total.wrong + audit.wrong; }
};

// `probe` may be null. Errors: BenchError, frontend::Error.
Measurement measure(const MeasurementOptions& options, Probe* probe);

}  // namespace bench
