// What adaptive polling costs and what it saves: a core's share while nothing moves, and how much
// later the first frame after a pause arrives than under busy polling.
//
// Threads: one. Errors: TestbedError, frontend::Error.
#pragma once

#include <cstdint>
#include <vector>

namespace testbed {

// Share of one core that `ports` attached guests cost which send nothing, polling adaptively.
double idle_share(unsigned ports, double seconds);

// How long single frames take from one guest's ring into the other's, each after a pause in which
// the switch falls asleep when it polls adaptively. The two kinds take turns, in `rounds` of
// kFramesPerRound each; the one that does not run is stopped.
inline constexpr unsigned kFramesPerRound = 50;
struct WakeUps {
  std::vector<double> busy_us;  // one a frame, sorted
  std::vector<double> adaptive_us;
  uint64_t sleeps = 0;  // of the adaptive switch's worker
  // Medians.
  double busy() const { return busy_us.at(busy_us.size() / 2); }
  double adaptive() const { return adaptive_us.at(adaptive_us.size() / 2); }
};
WakeUps wake_ups(unsigned rounds);

}  // namespace testbed
