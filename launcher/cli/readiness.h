// Tells whoever started us that everything is up: systemd (sd_notify(3)) and, by a newline on a
// descriptor, s6.
#pragma once

#include <optional>
#include <string>

namespace launcher {

void announce_ready(const std::optional<int>& ready_fd, const std::string& summary);
void announce_stopping();

}  // namespace launcher
