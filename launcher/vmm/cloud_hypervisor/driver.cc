#include "vmm/cloud_hypervisor/driver.h"

#include <boost/asio/use_awaitable.hpp>

#include "vmm/cloud_hypervisor/requests.h"

namespace launcher {

namespace requests = cloud_hypervisor;

namespace {

std::filesystem::path socket_of(const VmSpec& spec) {
  return spec.directory / "api.sock";
}
std::filesystem::path pipe_of(const VmSpec& spec) {
  return spec.directory / "events";
}

}  // namespace

CloudHypervisor::CloudHypervisor(boost::asio::io_context& loop, const VmSpec& spec,
                                 const VmmLimits& limits)
    : ControlledVmm(loop, spec, limits),
      api_(socket_of(spec)),
      events_(std::make_shared<cloud_hypervisor::EventPipe>(
          loop, [this](const VmmEvent& event) { tell(event); })) {}

CloudHypervisor::~CloudHypervisor() {
  events_->stop();
}

// Landlock is asked for with the VM: the option of that name wants the VM on the command line too.
std::vector<std::string> CloudHypervisor::command() const {
  events_->make(pipe_of(spec_));
  return {spec_.program.string(),
          "--api-socket",
          "path=" + socket_of(spec_).string(),
          "--event-monitor",
          "path=" + pipe_of(spec_).string(),
          "--seccomp",
          "true"};
}

Vmm::Task<void> CloudHypervisor::start_and_boot() {
  events_->start();
  // Each named first: g++ 12 destroys temporaries of a co_await expression twice.
  const std::filesystem::path socket = socket_of(spec_);
  requests::Request ping = requests::ping();
  requests::Request create = requests::create(spec_, requests::landlock_paths());
  requests::Request boot = requests::boot();
  // Its socket listens before its API answers.
  co_await wait_until_it_listens(socket, limits_.start, life_);
  co_await call(std::move(ping), limits_.start);
  co_await call(std::move(create), limits_.quick);
  co_await call(std::move(boot), limits_.connecting);
}

Vmm::Task<void> CloudHypervisor::press_power_button() {
  return call(requests::power_button(), limits_.running);
}

Vmm::Task<void> CloudHypervisor::stop() {
  requests::Request shutdown = requests::shutdown();
  requests::Request shutdown_vmm = requests::shutdown_vmm();
  try {
    co_await call(std::move(shutdown), limits_.running);
  } catch (const VmmError&) {
    // No VM, or one that was never booted: the VMM itself is what must end.
  }
  co_await call(std::move(shutdown_vmm), limits_.running);
}

Vmm::Task<void> CloudHypervisor::reset() {
  return call(requests::reboot(), limits_.connecting);
}

Vmm::Task<void> CloudHypervisor::plug(VmNet net) {
  return call(requests::add_net(net), limits_.connecting);
}

Vmm::Task<void> CloudHypervisor::plug_device(std::string pci_address) {
  return call(requests::add_device(pci_address), limits_.connecting);
}

Vmm::Task<void> CloudHypervisor::unplug(std::string id) {
  return call(requests::remove_device(id), limits_.connecting);
}

Vmm::Task<void> CloudHypervisor::clean_up(std::string) {
  co_return;
}

Vmm::Task<void> CloudHypervisor::call(cloud_hypervisor::Request request,
                                      std::chrono::milliseconds limit) {
  co_await api_.call(std::move(request), limit);
}

}  // namespace launcher
