// Tells whoever started us that every socket listens, and that we are about to stop.
//
// Two protocols: systemd's (sd_notify(3)) and a newline on a descriptor, which is s6's
// notification-fd. Both are silent when nobody asked for them.
//
// Threads: main thread. Errors: none; a supervisor that is gone is no reason to fail.
#pragma once

#include <optional>
#include <string>

namespace control {

// Closes `ready_fd` after the newline.
void announce_ready(const std::optional<int>& ready_fd, const std::string& summary);
void announce_stopping();

}  // namespace control
