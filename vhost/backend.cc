#include "vhost/backend.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_vhost.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "vhost/events_thread.h"

namespace vhost::backend {
namespace {

// Registrations by path. Callbacks take the lock to find theirs, so it is never held across a call
// of the library that waits for callbacks.
std::mutex registry_lock;
std::map<std::string, std::shared_ptr<Registration>> registry;

// What each vid belongs to. Written when its connection opens and closes, which is when no other
// callback of that vid runs.
std::array<std::shared_ptr<Registration>, RTE_MAX_VHOST_DEVICE> connections;

Registration* connection(int vid) {
  if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE) return nullptr;
  return connections[static_cast<size_t>(vid)].get();
}

rte_vhost_msg_result before_message(int vid, void* message) {
  // The request number is the first field of every message.
  if (Registration* owner = connection(vid)) {
    owner->device->before_message(*static_cast<const uint32_t*>(message));
  }
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

rte_vhost_msg_result after_message(int vid, void* message) {
  if (Registration* owner = connection(vid)) {
    owner->device->after_message(*static_cast<const uint32_t*>(message));
  }
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

constexpr rte_vhost_user_extern_ops kMessageHooks = {before_message, after_message};

int new_connection(int vid) {
  std::array<char, 256> path{};
  if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE) return -1;
  if (rte_vhost_get_ifname(vid, path.data(), path.size()) != 0) return -1;
  const std::lock_guard lock(registry_lock);
  const auto found = registry.find(path.data());
  if (found == registry.end() || !found->second->admit()) return -1;
  if (rte_vhost_extern_callback_register(vid, &kMessageHooks, nullptr) != 0) {
    found->second->released();  // the library calls destroy_connection for none that was refused
    return -1;
  }
  connections[static_cast<size_t>(vid)] = found->second;
  found->second->device->opened(vid);
  return 0;
}

void destroy_connection(int vid) {
  Registration* owner = connection(vid);
  if (owner == nullptr) return;
  owner->device->closed();
  owner->released();
  connections[static_cast<size_t>(vid)].reset();
}

int new_device(int vid) {
  Registration* owner = connection(vid);
  if (owner == nullptr) return -1;
  owner->device->ready();
  return 0;
}

void destroy_device(int vid) {
  if (Registration* owner = connection(vid)) owner->device->gone();
}

int vring_state_changed(int vid, uint16_t queue, int enable) {
  if (Registration* owner = connection(vid)) owner->device->ring_state(queue, enable != 0);
  return 0;
}

constexpr rte_vhost_device_ops kOps = [] {
  rte_vhost_device_ops ops = {};
  ops.new_device = new_device;
  ops.destroy_device = destroy_device;
  ops.vring_state_changed = vring_state_changed;
  ops.new_connection = new_connection;
  ops.destroy_connection = destroy_connection;
  return ops;
}();

std::string lcore_set(const std::vector<int>& cpus) {
  std::string set = "--lcores=0@(";
  for (const int cpu : cpus) set += (set.back() == '(' ? "" : ",") + std::to_string(cpu);
  return set + ")";
}

}  // namespace

void init(const std::vector<int>& cpus, unsigned memory_mib) {
  // --in-memory is refused together with --no-huge by DPDK 22.11.
  std::vector<std::string> words = {"switchd",
                                    lcore_set(cpus),
                                    "--no-huge",
                                    "--no-shconf",
                                    "--no-pci",
                                    "--no-telemetry",
                                    "--log-level=*:error",
                                    "-m",
                                    std::to_string(memory_mib)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  rte_log_set_global_level(RTE_LOG_ERR);
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    throw BackendError(std::string("DPDK does not start: ") + rte_strerror(rte_errno));
  }
}

void add(Registration registration) {
  const std::string path = registration.path.string();
  const Offer offer = registration.offer;
  {
    const std::lock_guard lock(registry_lock);
    registry[path] = std::make_shared<Registration>(std::move(registration));
  }
  uint64_t supported = 0;
  const bool listening =
      rte_vhost_driver_register(path.c_str(), 0) == 0 &&
      rte_vhost_driver_get_features(path.c_str(), &supported) == 0 &&
      rte_vhost_driver_disable_features(path.c_str(), supported & ~offer.features) == 0 &&
      rte_vhost_driver_set_protocol_features(path.c_str(), offer.protocol_features) == 0 &&
      rte_vhost_driver_callback_register(path.c_str(), &kOps) == 0 &&
      rte_vhost_driver_start(path.c_str()) == 0;
  if (!listening) {
    remove(path);
    throw BackendError("rte_vhost cannot listen on " + path);
  }
  wake_events_thread();
}

void remove(const std::filesystem::path& path) {
  rte_vhost_driver_unregister(path.c_str());
  std::shared_ptr<Registration> gone;
  const std::lock_guard lock(registry_lock);
  const auto found = registry.find(path.string());
  if (found == registry.end()) return;
  gone = found->second;
  registry.erase(found);
  for (auto& connection : connections) {
    if (connection == gone) connection.reset();
  }
}

}  // namespace vhost::backend
