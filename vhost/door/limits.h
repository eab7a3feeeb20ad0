// How long and how often: every time-out and rate of the door.
//
// Threads: constants. The values of DoorLimits are what the switch runs with; tests shorten them.
#pragma once

#include <chrono>
#include <cstddef>

namespace vhost::door {

inline constexpr int kAdmissionsPerSecond = 10;
inline constexpr std::chrono::seconds kTurnTimeout{10};
inline constexpr std::chrono::seconds kMessageTimeout{1};

struct DoorLimits {
  using Duration = std::chrono::steady_clock::duration;

  Duration turn_timeout = kTurnTimeout;        // a second VMM waits this long for its turn
  Duration message_timeout = kMessageTimeout;  // a message whole, an answer taken
  int admissions_per_second = kAdmissionsPerSecond;
  // Peers that the credentials turn away have a budget of their own, so that they cost the
  // admitted ones little: no more than the backlog below at this rate.
  int refusals_per_second = 100;
  // Connections the kernel holds while admission pauses: a VMM is delayed by as many admissions.
  int backlog = 8;
  // How many messages a VMM may send at once, and for how long it then waits for each: setting up
  // a ring takes about 8, and no VMM sends a thousand a second without meaning harm. One that
  // does is slowed down, and hinders neither this thread nor that of rte_vhost.
  int message_burst = 512;
  int message_burst_per_ring = 32;
  int messages_per_second = 1000;
  // A memory table counts as so many: rte_vhost maps and unmaps up to 8 files for it, and all ports
  // wait for the one thread that does. A VMM sends one when it starts, and one a memory hotplug.
  int messages_a_memory_table = 50;
  // Where the VMM listens: the pause between two attempts to connect, which doubles each time.
  Duration connect_first = std::chrono::milliseconds(10);
  Duration connect_most = std::chrono::milliseconds(250);
  // While so many descriptors of earlier VMMs will not close, no new one is admitted.
  int stuck_disposals = 2;
  // Pause after an accept(2) that failed for want of descriptors or memory, and while stuck.
  Duration accept_pause = std::chrono::milliseconds(100);
};

inline constexpr std::size_t kHistoryLines = 64;

}  // namespace vhost::door
