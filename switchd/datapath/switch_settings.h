// What the switch is started with; the operator's wishes after the control plane checked them.
//
// Threads: a plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace datapath {

enum class PollMode { busy, adaptive };

struct SwitchSettings {
  std::vector<int> workers;  // CPU ids, at least one
  PollMode poll = PollMode::adaptive;
  std::chrono::microseconds idle{50};    // without a frame before an adaptive worker sleeps
  std::chrono::seconds mac_ageing{300};  // IEEE 802.1Q-2018, 8.8.3
  uint32_t mac_table_size = 65536;
  std::filesystem::path runtime_dir;  // private, 0700: rte_vhost's own sockets
  std::string cpu_level;              // empty: the best this CPU has; else "x86-64-v2"...
};

}  // namespace datapath
