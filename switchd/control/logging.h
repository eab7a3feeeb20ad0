// The log of switchd: spdlog's default logger, to stderr. Under systemd each line starts with its
// priority (sd-daemon(3)), otherwise with the time.
//
// Threads: start_log() on the main thread before others exist; levels may change at any time.
#pragma once

#include <string>
#include <string_view>

namespace control {

bool is_log_level(std::string_view name);
std::string log_level_names();  // for people

void start_log(const std::string& level);
void set_log_level(const std::string& level);  // REQUIRES is_log_level(level)
std::string log_level();

}  // namespace control
