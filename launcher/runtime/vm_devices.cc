// What comes to a running VM and goes: interfaces and devices.
//
// The VM may end whenever something else is waited for; what was taken for it is then given back.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "process/error.h"
#include "runtime/vm.h"
#include "vmm/device_names.h"

namespace launcher {
namespace {

constexpr std::chrono::seconds kHotplugWithin{90};
constexpr std::chrono::seconds kForgetWithin{20};

}  // namespace

void Vm::require_running() const {
  if (state_ != VmState::running) fail(std::string("is ") + name_of(state_) + ", not running");
  if (!process_ || !process_->running()) fail("its VMM has ended");
  if (stops_ != stops_before_) fail("is about to be stopped");
}

Task<std::shared_ptr<Turn>> Vm::take_turn_of_running() {
  require_running();
  auto turn = co_await turns_.take();
  require_running();
  co_return turn;
}

std::vector<NetConfig> Vm::nets() const {
  std::vector<NetConfig> nets = config_.nets;
  for (const VmPort& port : resources_.nets()) {
    const auto is_it = [&](const NetConfig& net) {
      return net.segment == port.config.segment && net.mac == port.config.mac;
    };
    if (std::none_of(nets.begin(), nets.end(), is_it)) nets.push_back(port.config);
  }
  return nets;
}

Task<> Vm::change_hardware(std::string what, VmProcess::Operation operation) {
  require_running();
  const std::shared_ptr<VmProcess> process = process_;
  std::function<std::string()> interrupted = [this] {
    return stops_ == stops_before_ ? "" : name() + ": is about to be stopped";
  };
  std::exception_ptr error;
  try {
    co_await process->run(std::move(what), std::move(operation), kHotplugWithin,
                          std::move(interrupted));
  } catch (...) {
    error = std::current_exception();
  }
  if (error) co_await explain(error);
}

Task<nlohmann::json> Vm::add_net(std::function<NetConfig()> choose) {
  const auto turn = co_await take_turn_of_running();
  const NetConfig config = choose();
  const VmNet net = co_await resources_.add_net(config);
  std::exception_ptr failure;
  try {
    VmProcess::Operation add = [net](Vmm& vmm) { return vmm.add_net(net); };
    std::string what = "add-net";
    co_await change_hardware(std::move(what), std::move(add));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::string id = net.id;
    co_await resources_.remove_net(std::move(id));
    std::rethrow_exception(failure);
  }
  remark(net.id + " added on segment " + config.segment + ", MAC " + net.mac);
  co_return nlohmann::json{{"id", net.id}, {"mac", net.mac}, {"segment", config.segment}};
}

Task<nlohmann::json> Vm::add_device(std::string device) {
  const auto turn = co_await take_turn_of_running();
  const std::string address = co_await resources_.add_device(std::move(device));
  const auto id = std::make_shared<std::string>();
  VmProcess::Operation add = [address, id](Vmm& vmm) -> Task<> {
    *id = co_await vmm.add_device(address);
  };
  std::exception_ptr failure;
  try {
    std::string what = "add-device";
    co_await change_hardware(std::move(what), std::move(add));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::string copy = address;
    co_await resources_.give_back_device(std::move(copy));
    std::rethrow_exception(failure);
  }
  remark(address + " added as " + *id);
  co_return nlohmann::json{{"id", *id}, {"address", address}};
}

Task<> Vm::remove_device(std::string id) {
  const auto turn = co_await take_turn_of_running();
  if (resources_.has(id)) leaving_[id] = false;
  VmProcess::Operation remove = [id](Vmm& vmm) { return vmm.remove(id); };
  std::string what = "remove-device";
  co_await change_hardware(std::move(what), std::move(remove));
  leaving_.erase(id);
  std::string copy = id;
  co_await give_back(std::move(copy));
  remark(id + " removed");
}

Task<> Vm::give_back(std::string id) {
  co_await resources_.remove_net(id);
  const std::vector<std::string> devices = resources_.devices();
  for (const std::string& address : devices) {
    if (device_id(address) != id) continue;
    std::string copy = address;
    co_await resources_.give_back_device(std::move(copy));
  }
}

// One that nobody asked to go stays the VM's: a guest shall not hand a NIC to the host by itself.
void Vm::note_removed(const std::string& id) {
  const auto found = leaving_.find(id);
  if (found == leaving_.end() || found->second) return;
  found->second = true;
  auto giving_back = give_back_removed(process_);
  boost::asio::co_spawn(host_.loop, std::move(giving_back), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

// A remove_device() that still waits has the turn, and leaves nothing to be done here.
Task<> Vm::give_back_removed(std::shared_ptr<VmProcess> process) {
  const auto turn = co_await turns_.take();
  if (process != process_) co_return;
  const std::map<std::string, bool> leaving = leaving_;
  for (const auto& [id, is_gone] : leaving) {
    if (!is_gone) continue;
    leaving_.erase(id);
    VmProcess::Operation forget = [id = id](Vmm& vmm) { return vmm.forget(id); };
    co_await attempt("remove-device", std::move(forget), kForgetWithin);
    std::string copy = id;
    co_await give_back(std::move(copy));
    remark("the guest has let go of " + id + "; removed");
  }
}

}  // namespace launcher
