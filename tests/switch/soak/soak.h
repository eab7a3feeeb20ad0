// Many frames of mixed sizes and descriptor shapes through a real switch, each verified.
//
// Guests with different drivers, one a port. Traffic goes in legs. In most of them every guest
// sends to exactly one other, so that what a port delivers is what one pair of ports carried, and
// the switch's own counters can be held against the guests' for each pair; in the overloaded ones
// receivers are slower than senders and frames are lost, by name. Other legs flood. After each leg
// nothing may be under way, both sums of every port's counters must be exact, and the counters
// those of the guests. Threads: one. Errors: TestbedError when frames are stuck.
#pragma once

#include <cstdint>
#include <ostream>
#include <random>
#include <vector>

#include "lib/books.h"
#include "lib/crowd.h"
#include "lib/switch_process.h"

namespace testbed {

struct SoakOptions {
  uint64_t frames = 20'000'000;
  uint64_t seed = 1;
};

class Soak {
 public:
  Soak(const SoakOptions& options, std::ostream& progress);

  // True: nothing was wrong, stuck, or counted otherwise than it was.
  bool run();
  void report(std::ostream& out) const;

 private:
  struct Pair {
    uint64_t sent = 0;
    uint64_t delivered = 0;  // as the switch counted
    uint64_t received = 0;   // as the guest did
    uint64_t dropped = 0;    // at the receiver, by name
  };
  struct Snapshot {
    std::vector<std::vector<PairBook>> books;
    std::vector<uint64_t> delivered;
    std::vector<uint64_t> dropped;
  };

  void leg(unsigned number);
  void rotate(uint16_t shift);
  void overload(uint16_t shift);
  void flood(uint16_t from);
  uint32_t some_size();
  uint16_t partner(uint16_t from, uint16_t shift) const;
  void hold_against(uint16_t shift, const Snapshot& before, bool lossy);
  Snapshot snapshot(const Books& books) const;
  void show_progress();

  SoakOptions options_;
  std::ostream& progress_;
  SwitchProcess process_;
  Crowd crowd_;
  std::mt19937_64 random_;
  std::vector<std::vector<Pair>> pairs_;  // by sender, by receiver
  Snapshot last_;
  uint64_t sent_ = 0;
  uint64_t flooded_ = 0;
  unsigned legs_ = 0;
  double started_ = 0;
  double shown_ = 0;
};

}  // namespace testbed
