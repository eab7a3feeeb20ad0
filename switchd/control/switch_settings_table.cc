#include "control/switch_settings_table.h"

#include <algorithm>
#include <array>

#include "control/cpus.h"
#include "control/logging.h"

namespace control {
namespace {

void set_socket_dir(Configuration& configuration, const Value& value) {
  configuration.socket_dir = absolute_path(value);
}

void set_control_socket(Configuration& configuration, const Value& value) {
  const std::filesystem::path path = absolute_path(value);
  if (!path.has_filename()) value.fail("'" + path.string() + "' names a directory");
  configuration.control_socket = path;
}

void set_control_socket_mode(Configuration& configuration, const Value& value) {
  configuration.control_socket_mode = value.mode();
}

void set_control_socket_group(Configuration& configuration, const Value& value) {
  const Value::List list = value.name_list();
  if (list.size() != 1) value.fail("expected one name or number");
  configuration.control_socket_group = resolve_group(list.front(), value);
}

void set_private_dir(Configuration& configuration, const Value& value) {
  configuration.switching.runtime_dir = absolute_path(value);
}

void set_state_file(Configuration& configuration, const Value& value) {
  const std::filesystem::path path = absolute_path(value);
  if (!path.has_filename()) value.fail("'" + path.string() + "' names a directory");
  configuration.state_file = path;
}

void set_workers(Configuration& configuration, const Value& value) {
  const std::vector<int64_t> wanted = value.integer_list();
  if (wanted.empty()) value.fail("at least one CPU is needed");
  const std::vector<int> allowed = allowed_cpus();
  std::vector<int> workers;
  for (const int64_t cpu : wanted) {
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
      value.fail("this process may not run on CPU " + std::to_string(cpu) + "; it may on " +
                 describe_cpus(allowed));
    }
    if (std::find(workers.begin(), workers.end(), cpu) != workers.end()) {
      value.fail("CPU " + std::to_string(cpu) + " stands there twice; one worker runs on a CPU");
    }
    workers.push_back(static_cast<int>(cpu));
  }
  configuration.switching.workers = workers;
}

void set_poll(Configuration& configuration, const Value& value) {
  if (value.text() == "busy") {
    configuration.switching.poll = datapath::PollMode::busy;
  } else if (value.text() == "adaptive") {
    configuration.switching.poll = datapath::PollMode::adaptive;
  } else {
    value.fail("'" + value.text() + "' is neither \"busy\" nor \"adaptive\"");
  }
}

void set_idle(Configuration& configuration, const Value& value) {
  constexpr int64_t kOneSecond = 1'000'000;
  configuration.switching.idle = std::chrono::microseconds(value.integer(0, kOneSecond));
}

void set_mac_ageing(Configuration& configuration, const Value& value) {
  constexpr int64_t kLongest = 1'000'000;  // IEEE 802.1Q-2018, table 8-6
  configuration.switching.mac_ageing = std::chrono::seconds(value.integer(1, kLongest));
}

void set_mac_table_size(Configuration& configuration, const Value& value) {
  constexpr int64_t kLargest = 1 << 20;
  configuration.switching.mac_table_size = static_cast<uint32_t>(value.integer(1, kLargest));
}

void set_cpu_level(Configuration& configuration, const Value& value) {
  constexpr std::array<std::string_view, 2> kLevels = {"x86-64-v2", "x86-64-v3"};
  if (std::find(kLevels.begin(), kLevels.end(), value.text()) == kLevels.end()) {
    value.fail("'" + value.text() + "' is neither x86-64-v2 nor x86-64-v3");
  }
  configuration.switching.cpu_level = value.text();
}

void set_user(Configuration& configuration, const Value& value) {
  configuration.user = value.text();
}

void set_log_level(Configuration& configuration, const Value& value) {
  if (!is_log_level(value.text())) {
    value.fail("'" + value.text() + "' is no log level; one of " + log_level_names());
  }
  configuration.log_level = value.text();
}

constexpr std::array<SwitchSettingRow, 14> kRows = {{
    {"socket_dir", ValueKind::text, "DIR", "a port without a socket listens on DIR/NAME.sock",
     set_socket_dir},
    {"control_socket", ValueKind::text, "PATH", "where switchctl connects", set_control_socket},
    {"control_socket_mode", ValueKind::mode, "MODE", "permission bits of the control socket (0600)",
     set_control_socket_mode},
    {"control_socket_group", ValueKind::name_list, "GROUP", "group of the control socket",
     set_control_socket_group},
    {"private_dir", ValueKind::text, "DIR",
     "directory of the switch alone; beside the control socket when not given", set_private_dir},
    {"state_file", ValueKind::text, "PATH", "where ports added at run time are kept",
     set_state_file},
    {"workers", ValueKind::integer_list, "CPU,...",
     "CPUs that switch frames, one worker on each (the last allowed one)", set_workers},
    {"poll", ValueKind::text, "busy|adaptive",
     "adaptive workers sleep while there are no frames (adaptive)", set_poll},
    {"idle_us", ValueKind::integer, "N",
     "microseconds without a frame before an adaptive worker sleeps (50)", set_idle},
    {"mac_ageing_s", ValueKind::integer, "N",
     "seconds before an address not seen is forgotten (300)", set_mac_ageing},
    {"mac_table_size", ValueKind::integer, "N", "addresses the switch can know (65536)",
     set_mac_table_size},
    {"cpu_level", ValueKind::text, "LEVEL", "x86-64-v2 or x86-64-v3 (the best this CPU has)",
     set_cpu_level},
    {"user", ValueKind::text, "USER", "become this user before anything is served; needs root",
     set_user},
    {"log_level", ValueKind::text, "LEVEL", "trace, debug, info, warning, error or critical (info)",
     set_log_level},
}};

}  // namespace

std::span<const SwitchSettingRow> switch_settings_table() {
  return kRows;
}

const SwitchSettingRow* find_switch_setting(std::string_view key) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const SwitchSettingRow& each) { return each.key == key; });
  return row != kRows.end() ? &*row : nullptr;
}

void apply_switch_setting(const SwitchSettingRow& row, Configuration& configuration,
                          const Value& value) {
  row.apply(configuration, value);
  configuration.origins.insert_or_assign(std::string(row.key), value.origin);
}

}  // namespace control
