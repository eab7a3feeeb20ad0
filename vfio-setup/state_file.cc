#include "state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>

#include "sysfs.h"

namespace nlohmann {
template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& j, const std::optional<T>& value) {
    if (value) {
      j = *value;
    } else {
      j = nullptr;
    }
  }
  static void from_json(const json& j, std::optional<T>& value) {
    if (j.is_null()) {
      value.reset();
    } else {
      value = j.get<T>();
    }
  }
};
}  // namespace nlohmann

namespace vfio_setup {

// With defaults: what an earlier version wrote has not all of it.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SavedInterface, name, up, boot_id, saved_at,
                                                addresses, routes, mtu, mac, master, master_kind,
                                                port, vlan, vlans)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SavedDevice, address, ids, driver, modules,
                                                driver_override, interfaces, virtual_functions,
                                                subsystem, serial, mac)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PendingConfirm, token, deadline, persist)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Binding, address, step, boot_id, devices, user, group,
                                   persistent, confirm)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(State, bindings)

bool Binding::covers(const std::string& device_address) const {
  return address == device_address ||
         std::any_of(devices.begin(), devices.end(),
                     [&](const SavedDevice& device) { return device.address == device_address; });
}

Binding* State::find(const std::string& device_address) {
  const auto found = std::find_if(bindings.begin(), bindings.end(), [&](const Binding& binding) {
    return binding.covers(device_address);
  });
  return found == bindings.end() ? nullptr : &*found;
}

Binding& State::put(const Binding& binding) {
  erase(binding.address);
  return bindings.emplace_back(binding);
}

void State::erase(const std::string& address) {
  std::erase_if(bindings, [&](const Binding& binding) { return binding.address == address; });
}

namespace {

// An earlier version had one boot for all that a binding remembers.
State with_boot_ids(State state) {
  for (Binding& binding : state.bindings) {
    for (SavedDevice& device : binding.devices) {
      for (SavedInterface& interface : device.interfaces) {
        if (interface.boot_id.empty()) interface.boot_id = binding.boot_id;
      }
    }
  }
  return state;
}

}  // namespace

State StateFile::load() const {
  const auto text = read_attribute(path_);
  if (!text) return {};
  try {
    return with_boot_ids(nlohmann::json::parse(*text).get<State>());
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error("the state file " + path_.string() + " is damaged (" + error.what() +
                             "): move it away; `vfio-setup restore ADDRESS` then gives a device "
                             "back to the driver the kernel finds for it");
  }
}

void StateFile::save(const State& state) const {
  replace_file(path_, nlohmann::json(state).dump(2) + "\n", 0644);
}

StateLock::StateLock(const Paths& paths) {
  std::filesystem::create_directories(paths.state_directory());
  const auto path = paths.state_directory() / "lock";
  // Not to write: the way back must go on when the file system does not take anything any more.
  fd_ = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
  int result = fd_;
  while (result >= 0 && (result = ::flock(fd_, LOCK_EX)) != 0 && errno == EINTR) result = 0;
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot lock " + path.string() + " (this command needs root)");
  }
}

StateLock::~StateLock() {
  ::close(fd_);
}

std::string current_boot_id(const Paths& paths) {
  return read_attribute(paths.proc() / "sys/kernel/random/boot_id").value_or("");
}

std::int64_t boottime_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

}  // namespace vfio_setup
