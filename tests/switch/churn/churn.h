// Guests that come and go without end, and a switch that does: nothing may be left of it.
//
// Rounds: in each of them a guest attaches to one of eight ports, frames go between it and all that
// are there, and one of those goes: its driver lets go first or does not, frames are under way or
// are not, its rings are new or as they were when it comes again. Which ports and how is random.
//
// Restarts: eight guests stay, half of them on ports in client mode, half of them with the message
// order of QEMU. They send without pause while the switch is terminated or killed, and started
// again. A ring that does not turn afterwards, both ways, is stuck.
//
// Every frame is checked (crowd.h); those that were under way when somebody went may be lost. What
// the switch holds, in descriptors, threads and memory, is looked at before and after, in the same
// state. Threads: one. Errors: TestbedError and frontend::Error for what does not go on.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "lib/process_facts.h"

namespace testbed {

struct ChurnOptions {
  unsigned rounds = 500;
  unsigned restarts = 200;
  uint64_t seed = 1;
};

struct ChurnResult {
  ProcessFacts before;
  ProcessFacts after;
  std::size_t files_before = 0;  // in the switch's directory
  std::size_t files_after = 0;
  uint64_t frames = 0;  // received by guests
  std::vector<std::string> problems;

  // Descriptors, threads, files.
  bool nothing_left() const;
  int64_t grown_kib() const;  // memory of its own
};

ChurnResult churn_guests(const ChurnOptions& options, std::ostream& progress);
ChurnResult churn_switch(const ChurnOptions& options, std::ostream& progress);

}  // namespace testbed
