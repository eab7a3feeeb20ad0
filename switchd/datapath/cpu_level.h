// Which build of the data path runs: the best this CPU has, or the one asked for.
//
// Levels are those of the x86-64 psABI: x86-64-v2 (SSE4.2), x86-64-v3 (AVX2, BMI2).
//
// Threads: pure functions.
#pragma once

#include <string>

#include "datapath/turn.h"

namespace datapath {

struct CpuLevel {
  std::string name;  // x86-64-v2 ...
  Turn turn = nullptr;
};

// `wanted` empty: the best. Throws SwitchError for a level that is not built or that this CPU
// lacks.
CpuLevel choose_cpu_level(const std::string& wanted);

}  // namespace datapath
