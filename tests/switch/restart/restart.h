// How long guests have no network when switchd is killed and started again.
//
// Pairs of guests, each on a thread of its own that does what its VMMs do: they notice that the
// back-end is gone, try to connect again in their own manner, or listen for the switch to come, and
// set their rings up anew, in their own order. A frame waits in the sender's ring. Four moments:
//
//   killed -> all sockets listen (switchd says so) -> both VMMs are connected -> the frame is there
//
// What a VMM waits between two attempts is its own affair and told apart. Threads: see above.
// Errors: TestbedError and frontend::Error for what does not go on.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "frontend/guest.h"

namespace testbed {

struct VmmManner {
  std::string name;
  frontend::MessageOrder order = frontend::MessageOrder::cloud_hypervisor;
  frontend::RingBase base = frontend::RingBase::available_index;
  bool listens = false;
  std::chrono::milliseconds first_attempt{0};  // after the back-end is gone
  std::chrono::milliseconds retry{0};
};
// QEMU's and cloud-hypervisor's, both ways.
const std::vector<VmmManner>& vmm_manners();

// Of all rounds and pairs, in milliseconds, sorted.
struct RestartTimes {
  std::vector<double> starts;   // from the kill until all sockets listen
  std::vector<double> waits;    // from there until the VMMs are connected: their own
  std::vector<double> frames;   // from the later of both until the frame has arrived
  std::vector<double> outages;  // from the kill until the frame has arrived
};
RestartTimes measure_restarts(const VmmManner& manner, unsigned pairs, unsigned rounds);

}  // namespace testbed
