// The eight guests of the churn: which of them are there, and frames among those.
//
// Threads: one. Errors: as crowd.h.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "churn/churn.h"
#include "lib/crowd.h"
#include "lib/switch_process.h"

namespace testbed {

inline constexpr uint16_t kCrew = 8;

class Crew {
 public:
  // `options_of`: of the guest on each port.
  Crew(SwitchProcess& process, uint64_t seed,
       const std::function<frontend::GuestOptions(uint16_t)>& options_of);

  Crowd& crowd() { return crowd_; }
  uint16_t some(unsigned limit) { return static_cast<uint16_t>(random_() % limit); }
  std::vector<uint16_t> present();
  std::vector<uint16_t> absent();
  uint16_t one_of(const std::vector<uint16_t>& stations);

  // Frames both ways between `station` and all others; every one has to arrive.
  void exchange(uint16_t station);
  // Frames among all that are there; some are under way afterwards.
  void hurry();
  // What is under way comes to its end; what did not arrive is accounted for.
  void calm();
  uint64_t frames();

 private:
  uint32_t some_size() { return 60 + some(1455); }

  std::mt19937_64 random_;
  Crowd crowd_;
};

// What the switch holds once everything that was under way has ended.
ProcessFacts settled_facts(const SwitchProcess& process, const ProcessFacts& wanted);
std::size_t files_of(const SwitchProcess& process);

}  // namespace testbed
