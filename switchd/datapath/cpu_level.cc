#include "datapath/cpu_level.h"

#include <array>

#include "datapath/switch_api.h"

namespace datapath {

unsigned turn_v2(TurnContext& context) noexcept;
unsigned turn_v3(TurnContext& context) noexcept;

namespace {

struct Level {
  const char* name;
  Turn turn;
  bool (*supported)();
};

// Best last.
constexpr std::array kLevels = {
    Level{"x86-64-v2", turn_v2, [] { return __builtin_cpu_supports("x86-64-v2") != 0; }},
#ifdef SWITCHD_LEVEL_V3
    Level{"x86-64-v3", turn_v3, [] { return __builtin_cpu_supports("x86-64-v3") != 0; }},
#endif
};

std::string built_levels() {
  std::string names;
  for (const Level& level : kLevels) names += (names.empty() ? "" : ", ") + std::string(level.name);
  return names;
}

}  // namespace

CpuLevel choose_cpu_level(const std::string& wanted) {
  const Level* best = nullptr;
  for (const Level& level : kLevels) {
    if (!wanted.empty() && wanted != level.name) continue;
    if (level.supported()) {
      best = &level;
    } else if (!wanted.empty()) {
      throw SwitchError("cpu level " + wanted + ": this CPU does not have it");
    }
  }
  if (best == nullptr && wanted.empty()) {
    throw SwitchError("this CPU has less than x86-64-v2, which DPDK needs");
  }
  if (best == nullptr) {
    throw SwitchError("cpu level " + wanted + " is not built; there are: " + built_levels());
  }
  return {best->name, best->turn};
}

}  // namespace datapath
