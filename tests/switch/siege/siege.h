// How long a guest waits at its port's door while others besiege theirs, and whether the frames
// between two more guests notice.
//
// An attach is timed from connect() until the switch has taken the new guest's first frame: the
// whole handshake, each message acknowledged, as cloud-hypervisor does it. It is done `attaches`
// times in quiet (half before, half after) and as often under siege, no faster than a port admits
// VMMs. The two others exchange frames at a steady pace all the time. Threads: main, one for the
// frames, one for each attacker.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "siege/attackers.h"

namespace testbed {

struct SiegeOptions {
  unsigned attaches = 100;
};

struct Waits {
  std::vector<double> milliseconds;
  double median() const;
  double worst() const;
};

struct SiegeResult {
  Waits quiet;
  Waits besieged;
  std::vector<std::string> problems;  // of the frames between the two others
  uint64_t frames = 0;                // between them
  std::vector<std::string> attacks;   // a line each
  bool attacked = false;              // every kind of attacker came in

  double ratio() const { return besieged.median() / quiet.median(); }
};

SiegeResult besiege(const SiegeOptions& options, std::ostream& progress);

}  // namespace testbed
