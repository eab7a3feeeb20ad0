// bind: the whole group to vfio-pci, with the way back on disk before each step.
//
// From the first step on, the loss of the terminal does not stop it: the terminal may well be a
// connection over the very NIC. SIGINT and SIGTERM are looked at between the steps; they, and
// every failure, have what was done so far undone.
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <functional>
#include <set>
#include <system_error>

#include "bind_plan.h"
#include "card.h"
#include "commands.h"
#include "device_binder.h"
#include "group_holders.h"
#include "net_config.h"
#include "persistence.h"
#include "process.h"
#include "restore.h"
#include "sysfs.h"
#include "watcher.h"

namespace vfio_setup {
namespace {

constexpr const char* kBound = "bound";
constexpr const char* kVfioPci = "vfio-pci";

uid_t user_id(const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos) {
    return static_cast<uid_t>(std::stoul(name));
  }
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) throw Refusal("--user: there is no user " + name);
  return entry->pw_uid;
}

gid_t group_id(const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos) {
    return static_cast<gid_t>(std::stoul(name));
  }
  const group* entry = ::getgrnam(name.c_str());
  if (entry == nullptr) throw Refusal("--group: there is no group " + name);
  return entry->gr_gid;
}

// Holds SIGINT and SIGTERM back, and ignores the end of the terminal.
class HeldSignals {
 public:
  HeldSignals() {
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    ::sigemptyset(&held_);
    for (const int number : {SIGINT, SIGTERM}) ::sigaddset(&held_, number);
    ::sigprocmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // Takes the signal, so that the way back is not cut short by it.
  static void throw_if_pending() {
    sigset_t held;
    ::sigemptyset(&held);
    for (const int number : {SIGINT, SIGTERM}) ::sigaddset(&held, number);
    const timespec at_once{0, 0};
    if (::sigtimedwait(&held, nullptr, &at_once) > 0) throw std::runtime_error("interrupted");
  }

 private:
  sigset_t held_{};
  sigset_t before_{};
};

SavedDevice save_device(const Paths& paths, const HostSnapshot& host, const PciDevice& device) {
  SavedDevice saved{device.address,
                    device.ids(),
                    device.driver,
                    modules_for(device.modalias),
                    device.driver_override,
                    {},
                    static_cast<int>(device.virtual_functions.size())};
  if (!device.module.empty() && device.driver != kVfioPci &&
      std::find(saved.modules.begin(), saved.modules.end(), device.module) == saved.modules.end()) {
    saved.modules.insert(saved.modules.begin(), device.module);
  }
  for (const NetInterface* interface : host.interfaces_of(device)) {
    saved.interfaces.push_back(save_interface(paths, *interface));
    if (saved.mac.empty()) saved.mac = permanent_mac(interface->name);
  }
  return saved;
}

class BindRun {
 public:
  BindRun(const CommandContext& context, const HostSnapshot& host, const BindPlan& plan,
          State& state)
      : context_(context),
        paths_(context.paths),
        host_(host),
        plan_(plan),
        state_(state),
        binder_(paths_) {}

  void run() {
    make_record();
    refuse_other_users();
    const bool was_bound = binding_.step == kBound;
    try {
      carry_out();
    } catch (const std::exception& error) {
      if (was_bound) throw;
      roll_back(error.what());
    }
  }

 private:
  // What the functions were before the first attempt counts, not what that one left behind.
  void make_record() {
    const Binding* before = state_.find(plan_.target->address);
    const bool interrupted = before != nullptr && before->step != kBound;
    if (before != nullptr) binding_ = *before;
    // Whoever has to move a function again can fail half-way, as the first time.
    if (!is_all_at_vfio()) binding_.step.clear();
    if (before == nullptr) binding_.address = plan_.target->address;
    std::vector<SavedDevice> devices;
    for (const PciDevice* device : plan_.devices) {
      const auto known =
          std::find_if(binding_.devices.begin(), binding_.devices.end(),
                       [&](const SavedDevice& saved) { return saved.address == device->address; });
      const bool is_known = known != binding_.devices.end();
      const bool untouched = device->driver_override.empty() && !device->driver.empty();
      devices.push_back(
          is_known && (interrupted || !untouched) ? *known : save_device(paths_, host_, *device));
      // Also of what an earlier version put on record.
      if (devices.back().subsystem.empty()) identify(paths_, devices.back());
    }
    binding_.devices = std::move(devices);
    binding_.boot_id = current_boot_id(paths_);
    apply_options();
  }

  bool is_all_at_vfio() const {
    return std::all_of(plan_.devices.begin(), plan_.devices.end(),
                       [](const PciDevice* device) { return device->driver == kVfioPci; });
  }

  void apply_options() {
    const Options& options = context_.options;
    if (!options.user.empty()) binding_.user = user_id(options.user);
    if (!options.group.empty()) binding_.group = group_id(options.group);
    if (options.confirm_within) {
      const std::int64_t deadline = boottime_seconds() + options.confirm_within->count();
      binding_.confirm = {std::to_string(::getpid()) + "-" + std::to_string(deadline), deadline,
                          options.persist};
    } else if (binding_.confirm) {
      binding_.confirm->persist |= options.persist;
    }
  }

  void carry_out() {
    begin("start");
    // Before anything is taken away.
    if (context_.options.confirm_within) start_watcher(binding_.address, binding_.confirm->token);
    begin("load vfio-pci");
    if (!std::filesystem::exists(paths_.pci_drivers() / kVfioPci)) {
      require_tool("modprobe", {kVfioPci});
    }
    begin("install the owner of the group");
    warn(Persistence(paths_).apply(state_));
    for (const SavedDevice& device : binding_.devices) move(device);
    begin("own the group");
    own_nodes();
    if (context_.options.persist && !binding_.confirm) {
      binding_.persistent = true;
      begin("make it persistent");
      warn(Persistence(paths_).apply(state_));
    }
    begin(kBound);
    HeldSignals::throw_if_pending();
  }

  void move(const SavedDevice& device) {
    const std::string& address = device.address;
    if (binder_.driver_of(address) != kVfioPci) {
      for (const SavedInterface& interface : device.interfaces) {
        if (!std::filesystem::exists(paths_.net(interface.name))) continue;
        begin("take down " + interface.name);
        take_down(interface);
      }
    }
    begin(address + ": override the driver");
    binder_.set_override(address, kVfioPci);
    if (binder_.driver_of(address) != kVfioPci) {
      begin(address + ": unbind");
      binder_.remove_virtual_functions(address);
      binder_.unbind(address);
    }
    begin(address + ": bind");
    binder_.probe(address, kVfioPci);
  }

  std::vector<std::string> addresses() const {
    std::vector<std::string> all;
    for (const SavedDevice& device : binding_.devices) all.push_back(device.address);
    return all;
  }

  // A VM that has the group already would share it with whoever is asked for.
  void refuse_other_users() const {
    const Options& options = context_.options;
    if (options.user.empty() && options.group.empty()) return;
    const uid_t owner = binding_.user.value_or(::geteuid());
    for (const Holder& holder : find_holders(paths_, addresses())) {
      if (holder.user == owner) continue;
      throw Refusal(binding_.address + " is in use by process " + std::to_string(holder.pid) +
                    " (" + holder.command + ") of user " + std::to_string(holder.user) +
                    ": it does not get another owner until that has ended");
    }
  }

  void own_nodes() const {
    if (std::filesystem::exists(paths_.udev_control())) {
      run_tool("udevadm", {"settle", "--timeout=10"});
    }
    const auto nodes = vfio_nodes(paths_, addresses());
    if (nodes.empty()) throw std::runtime_error("the kernel made no /dev/vfio/GROUP for it");
    if (!binding_.user && !binding_.group) return;
    for (const auto& node : nodes) {
      const uid_t user = binding_.user.value_or(static_cast<uid_t>(-1));
      const gid_t group = binding_.group.value_or(static_cast<gid_t>(-1));
      if (::chown(node.c_str(), user, group) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot own " + node.string());
      }
      std::filesystem::permissions(node, std::filesystem::perms(binding_.group ? 0660 : 0600));
    }
  }

  // The record of a step is on disk before the step is taken.
  void begin(const std::string& step) {
    HeldSignals::throw_if_pending();
    // A complete binding that is only adjusted stays complete whatever happens.
    if (binding_.step != kBound) binding_.step = step;
    state_.put(binding_);
    StateFile(paths_).save(state_);
    spdlog::debug("{}", step);
  }

  [[noreturn]] void roll_back(const std::string& reason) const {
    std::string failures;
    try {
      const Restored result = restore_binding(paths_, state_, binding_.address, WhenHeld::refuse);
      warn(result.warnings);
      for (const std::string& failure : result.failures) failures += "\n" + failure;
    } catch (const std::exception& error) {
      failures = std::string("\n") + error.what();
    }
    if (!failures.empty()) {
      throw std::runtime_error(reason + "\nIt could not be undone:" + failures +
                               "\nTry `vfio-setup restore " + binding_.address + "`.");
    }
    throw std::runtime_error(reason + "\nWhat was done so far has been undone.");
  }

  static void warn(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) spdlog::warn("{}", warning);
  }

  const CommandContext& context_;
  const Paths& paths_;
  const HostSnapshot& host_;
  const BindPlan& plan_;
  State& state_;
  DeviceBinder binder_;
  Binding binding_;
};

std::set<std::string> bound_addresses(const State& state) {
  std::set<std::string> addresses;
  for (const Binding& binding : state.bindings) addresses.insert(binding.address);
  return addresses;
}

// The reboot undid what was not persistent.
void forget_earlier_boots(const Paths& paths, State& state) {
  const std::string boot_id = current_boot_id(paths);
  std::erase_if(state.bindings, [&](const Binding& binding) {
    return !binding.persistent && binding.boot_id != boot_id;
  });
}

bool is_built_in(const Paths& paths, const std::string& driver) {
  const auto directory = paths.pci_drivers() / driver;
  return std::filesystem::exists(directory) && link_name(directory / "module").empty();
}

// The driver that a function has, or had before it was bound.
std::string own_driver(const PciDevice& device, State& state) {
  if (device.driver != kVfioPci) return device.driver;
  const Binding* binding = state.find(device.address);
  if (binding == nullptr) return "";
  for (const SavedDevice& saved : binding->devices) {
    if (saved.address == device.address) return saved.driver;
  }
  return "";
}

void check_persistable(const Paths& paths, const BindPlan& plan, State& state) {
  for (const PciDevice* device : plan.devices) {
    const std::string driver = own_driver(*device, state);
    if (driver.empty() || !is_built_in(paths, driver)) continue;
    throw Refusal(device->title() + ": driver " + driver +
                  " is built into the kernel and takes the device before anything can prevent it: "
                  "--persist needs a kernel that has it as a module");
  }
}

// Whoever names the address of a record means that card, which may not be there any more.
void refuse_stranger(const Paths& paths, const std::string& address, State& state) {
  const Binding* binding = state.find(address);
  if (binding == nullptr) return;
  for (const SavedDevice& device : binding->devices) {
    if (device.address != address) continue;
    const Place place = find_card(paths, device);
    if (place.difference.empty()) continue;
    throw Refusal(describe(device, place) + ": " +
                  (place.address.empty()
                       ? "`vfio-setup restore " + address + "` forgets it, then bind again"
                       : "bind " + place.address));
  }
}

void follow_cards(const Paths& paths, const std::string& request, State& state) {
  if (request == "auto") {
    for (Binding& binding : state.bindings) follow(paths, binding);
    return;
  }
  const std::string address = full_address(request);
  refuse_stranger(paths, address, state);
  Binding* binding = find_binding(paths, state, address);
  if (binding != nullptr) follow(paths, *binding);
}

BindPlan make_plan(const CommandContext& context, const HostSnapshot& host, State& state) {
  forget_earlier_boots(context.paths, state);
  const Options& options = context.options;
  follow_cards(context.paths, options.address, state);
  BindPlan plan = plan_bind(host, options.address, options.force, bound_addresses(state));
  if (options.persist) check_persistable(context.paths, plan, state);
  for (const std::string& reason : plan.overridden) spdlog::warn("forced: {}", reason);
  return plan;
}

int dry_run(const CommandContext& context) {
  const HostSnapshot host = read_host(context.paths);
  State state = StateFile(context.paths).load();
  const BindPlan plan = make_plan(context, host, state);
  for (const std::string& step : describe(host, plan)) context.out << "would: " << step << "\n";
  if (context.options.persist) {
    context.out << "would: write " << context.paths.persistent_rules().string() << " and "
                << context.paths.modprobe_config().string() << "\n";
  }
  return EXIT_SUCCESS;
}

void report(const CommandContext& context, const BindPlan& plan, const State& state) {
  context.out << plan.target->title() << ": "
              << (plan.is_done() ? "is bound to vfio-pci already" : "bound to vfio-pci")
              << "; VMMs open /dev/vfio/" << *plan.target->iommu_group << "\n";
  const Binding& binding = state.bindings.back();
  if (!binding.confirm) return;
  context.out << "It is given back in " << binding.confirm->deadline - boottime_seconds()
              << " s unless you run: vfio-setup confirm\n";
}

}  // namespace

int bind_command(const CommandContext& context) {
  if (context.options.dry_run) return dry_run(context);
  const HeldSignals held;
  const StateLock lock(context.paths);
  const HostSnapshot host = read_host(context.paths);
  State state = StateFile(context.paths).load();
  const BindPlan plan = make_plan(context, host, state);
  BindRun(context, host, plan, state).run();
  report(context, plan, state);
  return EXIT_SUCCESS;
}

}  // namespace vfio_setup
