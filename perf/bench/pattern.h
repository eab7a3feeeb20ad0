// Who sends to whom.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

enum class Pattern {
  pair,         // 0 <-> 1, 2 <-> 3, ...
  one_way,      // 0 -> 1, 2 -> 3, ...
  mesh,         // everyone to everyone else, another one with each frame
  incast,       // everyone to guest 0
  one_to_many,  // guest 0 to everyone else, another one with each frame
  broadcast,    // guest 0 to the broadcast address
};

const std::vector<std::string>& pattern_names();
// Errors: BenchError lists the names.
Pattern pattern_of(const std::string& name);
std::string name_of(Pattern pattern);

// Destinations of one guest's frames (frontend::TrafficPlan); empty: it sends nothing.
// Errors: BenchError when the pattern does not work with that many guests.
std::vector<uint16_t> destinations_of(Pattern pattern, uint16_t guest, uint16_t guests);
// Copies of one frame that ought to arrive.
uint64_t copies_of(Pattern pattern, uint16_t guests);

}  // namespace bench
