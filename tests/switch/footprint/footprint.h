// What a switch costs beside the frames it carries: rights and memory.
//
// Everything runs without hugepages; as root, the switch runs as user nobody from its first
// instruction on (else as whoever calls). Threads: one, and the load's. Errors: TestbedError,
// frontend::Error, BenchError.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/process_facts.h"

namespace testbed {

// Whom the switch runs as; nothing when the caller cannot choose.
std::optional<std::string> ordinary_user();

// The switch's own memory after that many seconds of traffic among `ports` guests.
ProcessFacts memory_under_traffic(unsigned ports, double seconds);

// Delivered frames a second as nobody over those as root, in paired rounds; as root only. Both
// switches are there all the time, asleep while the other one is measured.
struct RatioOfUsers {
  std::vector<double> ratios;  // one a pair of rounds, sorted
  double median_rate = 0;      // frames a second as nobody
  double median() const { return ratios.at(ratios.size() / 2); }
};
RatioOfUsers throughput_as_nobody(unsigned rounds, double seconds);

}  // namespace testbed
