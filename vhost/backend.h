// rte_vhost as a whole: DPDK's environment, and the way from its callbacks to our devices.
//
// rte_vhost knows a device by a number (vid) and by the path of the socket it came through; it has
// no pointer of ours. The paths here are private ones, in a directory that only this process uses;
// no VMM ever connects to them (door/door.h).
//
// Threads: init() once, on the main thread, before anything else; add() and remove() on the main
// thread. Callbacks arrive on DPDK's vhost-events thread, or on the main thread inside remove().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <vector>

#include "vhost/device.h"

namespace vhost::backend {

class BackendError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Starts DPDK without hugepages, devices or files of its own, with `memory_mib` of ordinary memory
// for its heap; touched pages alone count. DPDK's own thread and the caller keep to `cpus`.
void init(const std::vector<int>& cpus, unsigned memory_mib);

struct Offer {
  uint64_t features = 0;
  uint64_t protocol_features = 0;
};

// Listens on `path` for the door of one port. `admit` is asked (on rte_vhost's thread) whether a
// connection is the door's; `released` is told when the library is done with it.
struct Registration {
  std::filesystem::path path;
  Offer offer;
  Device* device = nullptr;
  std::function<bool()> admit;
  std::function<void()> released;
};
void add(Registration registration);

// Ends what is connected, without a call of `released`.
void remove(const std::filesystem::path& path);

}  // namespace vhost::backend
