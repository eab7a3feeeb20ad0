#include "bench/pattern.h"

#include <algorithm>

#include "bench/error.h"
#include "frontend/frame.h"

namespace bench {
namespace {

std::vector<uint16_t> all_but(uint16_t guest, uint16_t guests) {
  std::vector<uint16_t> others;
  for (uint16_t i = 1; i < guests; ++i) {
    others.push_back(static_cast<uint16_t>((guest + i) % guests));
  }
  return others;
}

void check(Pattern pattern, uint16_t guests) {
  const bool pairs = pattern == Pattern::pair || pattern == Pattern::one_way;
  if (guests < 2) throw BenchError("at least two guests: give two sockets or more");
  if (pairs && guests % 2 != 0) {
    throw BenchError("pattern " + name_of(pattern) + " wants an even number of sockets");
  }
}

}  // namespace

const std::vector<std::string>& pattern_names() {
  static const std::vector<std::string> names = {"pair",   "one-way",     "mesh",
                                                 "incast", "one-to-many", "broadcast"};
  return names;
}

Pattern pattern_of(const std::string& name) {
  const auto& names = pattern_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Pattern>(found - names.begin());
  std::string all;
  for (const std::string& each : names) all += " " + each;
  throw BenchError("there is no pattern '" + name + "'; there are" + all);
}

std::string name_of(Pattern pattern) {
  return pattern_names()[static_cast<std::size_t>(pattern)];
}

std::vector<uint16_t> destinations_of(Pattern pattern, uint16_t guest, uint16_t guests) {
  check(pattern, guests);
  switch (pattern) {
    case Pattern::pair:
      return {static_cast<uint16_t>(guest ^ 1)};
    case Pattern::one_way:
      if (guest % 2 != 0) return {};
      return {static_cast<uint16_t>(guest + 1)};
    case Pattern::mesh:
      return all_but(guest, guests);
    case Pattern::incast:
      if (guest == 0) return {};
      return {uint16_t{0}};
    case Pattern::one_to_many:
      if (guest != 0) return {};
      return all_but(guest, guests);
    case Pattern::broadcast:
      if (guest != 0) return {};
      return {frontend::kFlood};
  }
  return {};
}

uint64_t copies_of(Pattern pattern, uint16_t guests) {
  return pattern == Pattern::broadcast ? guests - 1u : 1u;
}

}  // namespace bench
