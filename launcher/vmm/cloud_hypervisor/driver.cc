#include "vmm/cloud_hypervisor/driver.h"

#include <boost/asio/use_awaitable.hpp>

#include "vmm/cloud_hypervisor/requests.h"
#include "vmm/device_names.h"
#include "vmm/named.h"

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
                                 const Limits& limits)
    : spec_(spec),
      limits_(limits),
      api_(socket_of(spec)),
      events_(std::make_shared<cloud_hypervisor::EventPipe>(
          loop, [this](const VmmEvent& event) { take(event); })),
      removals_(loop) {}

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

Vmm::Task<void> CloudHypervisor::boot() {
  return named(spec_.name, start_and_boot());
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

Vmm::Task<void> CloudHypervisor::power_button() {
  return named(spec_.name, call(requests::power_button(), limits_.quick));
}

Vmm::Task<void> CloudHypervisor::shutdown() {
  return named(spec_.name, stop());
}

Vmm::Task<void> CloudHypervisor::stop() {
  requests::Request shutdown = requests::shutdown();
  requests::Request shutdown_vmm = requests::shutdown_vmm();
  try {
    co_await call(std::move(shutdown), limits_.quick);
  } catch (const VmmError&) {
    // No VM, or one that was never booted: the VMM itself is what must end.
  }
  co_await call(std::move(shutdown_vmm), limits_.quick);
}

Vmm::Task<void> CloudHypervisor::reboot() {
  return named(spec_.name, call(requests::reboot(), limits_.connecting));
}

Vmm::Task<void> CloudHypervisor::add_net(const VmNet& net) {
  return named(spec_.name, attach(net));
}

Vmm::Task<void> CloudHypervisor::attach(VmNet net) {
  require_port_socket(net.socket);
  requests::Request request = requests::add_net(net);
  co_await call(std::move(request), limits_.connecting);
}

Vmm::Task<std::string> CloudHypervisor::add_device(const std::string& pci_address) {
  return named(spec_.name, pass(pci_address));
}

Vmm::Task<std::string> CloudHypervisor::pass(std::string pci_address) {
  requests::Request request = requests::add_device(pci_address);
  co_await call(std::move(request), limits_.connecting);
  co_return device_id(pci_address);
}

Vmm::Task<void> CloudHypervisor::remove(const std::string& id) {
  return named(spec_.name, let_go(id));
}

Vmm::Task<void> CloudHypervisor::let_go(std::string id) {
  const auto removed = removals_.expect(id);
  requests::Request request = requests::remove_device(id);
  co_await call(std::move(request), limits_.connecting);
  const auto event = co_await removals_.wait(removed, limits_.removal);
  if (event) co_return;
  if (removals_.ended()) throw VmmError("cloud-hypervisor ended before " + id + " was removed");
  throw VmmError("the guest has not let go of " + id + " in time; it may still do so");
}

Vmm::Task<nlohmann::json> CloudHypervisor::info() {
  return named(spec_.name, api_.call(requests::info(), limits_.quick));
}

Vmm::Task<void> CloudHypervisor::call(cloud_hypervisor::Request request,
                                      std::chrono::milliseconds limit) {
  co_await api_.call(std::move(request), limit);
}

void CloudHypervisor::process_ended() {
  life_->ended = true;
  removals_.end();
}

void CloudHypervisor::take(const VmmEvent& event) {
  if (event.kind == VmmEvent::Kind::device_removed) removals_.meet(event.detail, {});
  report(event);
}

}  // namespace launcher
