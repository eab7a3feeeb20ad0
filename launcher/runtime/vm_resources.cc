#include "runtime/vm_resources.h"

#include <algorithm>

#include "process/error.h"
#include "runtime/landlock.h"
#include "runtime/programs.h"
#include "vmm/device_names.h"

namespace launcher {

namespace fs = std::filesystem;

VmResources::VmResources(Host& host, const VmConfig& vm)
    : host_(host), vm_(vm), wanted_(vm.devices) {
  forget_added_nets();
}

void VmResources::forget_added_nets() {
  nets_.clear();
  for (const NetConfig& net : vm_.nets) nets_.push_back(named(net));
}

// By the lowest number that is free: one that others have been removed from keeps its names.
VmPort VmResources::named(NetConfig config) const {
  VmPort port;
  size_t number = 0;
  const auto taken = [&](const VmPort& other) { return other.id == port.id; };
  do {
    port.id = "net" + std::to_string(number++);
  } while (std::any_of(nets_.begin(), nets_.end(), taken));
  port.name = vm_.name + "." + port.id;
  port.config = std::move(config);
  return port;
}

Task<VmSpec> VmResources::prepare() {
  const VmmDriver& driver = host_.find_driver(vm_.vmm);
  VmSpec spec;
  spec.name = vm_.name;
  spec.program = find_program(driver.program, vm_.vmm_program, vm_.origin_of("vmm_program"));
  spec.directory = host_.state.vm(vm_.name);
  spec.command_line = vm_.command_line.empty() ? "console=ttyS0 quiet panic=-1 hostname=" + vm_.name
                                               : vm_.command_line;
  spec.cpus = vm_.cpus;
  spec.memory = vm_.memory;
  spec.landlock = use_landlock(vm_);
  if (spec.landlock) make_vfio_directory();
  user_ = host_.users.user_of(host_.topology.name + "/" + vm_.name, vm_.user);
  spec.user = user_;
  StateDirectory::make_private(spec.directory, 0700, user_);
  files_ = std::make_unique<VmFiles>(host_.topology, vm_, spec.directory, user_);
  files_->prepare(spec);
  std::vector<std::string> devices = devices_.empty() ? wanted_ : devices_;
  for (const std::string& device : devices) {
    std::string address = device;
    address = co_await take_device(std::move(address));
    spec.devices.push_back(address);
  }
  const std::vector<VmPort> nets = nets_;
  for (const VmPort& net : nets) {
    VmPort copy = net;
    VmNet made = co_await make_port(std::move(copy));
    spec.nets.push_back(std::move(made));
  }
  co_return spec;
}

Task<VmNet> VmResources::add_net(NetConfig config) {
  VmPort port = named(std::move(config)), copy = port;
  VmNet net = co_await make_port(std::move(copy));
  nets_.push_back(std::move(port));
  co_return net;
}

Task<VmNet> VmResources::make_port(VmPort port) {
  const NetConfig& config = port.config;
  PortWish wish;
  wish.name = port.name;
  wish.isolated = config.isolated.value_or(false);
  wish.mac = config.mac;
  wish.mtu = config.mtu;
  wish.queues = config.queues;
  wish.user = user_;
  VmNet net;
  net.socket = co_await segment(config.segment).add_port(std::move(wish));
  net.id = port.id;
  net.mac = config.mac;
  net.mtu = config.mtu;
  net.queues = config.queues;
  ports_.push_back(std::move(port));
  co_return net;
}

Task<bool> VmResources::remove_net(std::string id) {
  std::erase_if(nets_, [&](const VmPort& net) { return net.id == id; });
  co_return co_await remove_port(std::move(id));
}

Task<bool> VmResources::remove_port(std::string id) {
  for (size_t index = 0; index < ports_.size(); ++index) {
    if (ports_[index].id != id) continue;
    const VmPort port = ports_[index];
    ports_.erase(ports_.begin() + static_cast<std::ptrdiff_t>(index));
    std::string name = port.name;
    co_await segment(port.config.segment).remove_port(std::move(name));
    co_return true;
  }
  co_return false;
}

bool VmResources::has(const std::string& id) const {
  const auto is_net = [&](const VmPort& net) { return net.id == id; };
  const auto is_device = [&](const std::string& address) { return device_id(address) == id; };
  return std::any_of(nets_.begin(), nets_.end(), is_net) ||
         std::any_of(devices_.begin(), devices_.end(), is_device);
}

Task<std::string> VmResources::add_device(std::string device) {
  std::string address = co_await host_.devices.find(std::move(device));
  if (std::find(devices_.begin(), devices_.end(), address) != devices_.end()) {
    throw LaunchError(vm_.name + ": has " + address + " already");
  }
  co_return co_await take_device(std::move(address));
}

Task<std::string> VmResources::take_device(std::string device) {
  std::optional<uid_t> uid;
  if (user_) uid = user_->uid;
  std::string vm = vm_.name;
  std::string address = co_await host_.devices.take(std::move(vm), std::move(device), uid);
  if (std::find(devices_.begin(), devices_.end(), address) == devices_.end()) {
    devices_.push_back(address);
  }
  co_return address;
}

Task<> VmResources::give_back_device(std::string address) {
  std::erase(devices_, address);
  std::string problem;
  try {
    std::string copy = address;
    co_await host_.devices.give_back(std::move(copy));
  } catch (const std::exception& failure) {
    problem = failure.what();
  }
  if (!problem.empty()) host_.progress.warn(vm_.name, problem);
}

Task<> VmResources::release(bool with_devices) {
  while (!ports_.empty()) {
    std::string id = ports_.back().id;
    co_await remove_port(std::move(id));
  }
  if (with_devices) forget_added_nets();
  if (files_) files_->give_back();
  files_.reset();
  std::error_code error;
  fs::remove_all(host_.state.vm(vm_.name), error);
  while (with_devices && !devices_.empty()) {
    std::string address = devices_.back();
    co_await give_back_device(std::move(address));
  }
}

}  // namespace launcher
