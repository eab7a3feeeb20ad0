#include "control/readiness.h"

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace control {

void announce_ready(const std::optional<int>& ready_fd, const std::string& summary) {
  sd_notify(0, ("READY=1\nSTATUS=" + summary).c_str());
  if (!ready_fd) return;
  ssize_t written = 0;
  do {
    written = write(*ready_fd, "\n", 1);
  } while (written < 0 && errno == EINTR);
  if (written != 1) spdlog::warn("--ready-fd {}: {}", *ready_fd, std::strerror(errno));
  close(*ready_fd);
}

void announce_stopping() {
  sd_notify(0, "STOPPING=1");
}

}  // namespace control
