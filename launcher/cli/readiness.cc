#include "cli/readiness.h"

#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace launcher {

void announce_ready(const std::optional<int>& ready_fd, const std::string& summary) {
  sd_notify(0, ("READY=1\nSTATUS=" + summary).c_str());
  if (!ready_fd) return;
  [[maybe_unused]] const ssize_t written = write(*ready_fd, "\n", 1);
  close(*ready_fd);
}

void announce_stopping() {
  sd_notify(0, "STOPPING=1");
}

}  // namespace launcher
