// cloud-hypervisor, driven over its REST API and followed by its event monitor.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "vmm/cloud_hypervisor/api_client.h"
#include "vmm/cloud_hypervisor/event_pipe.h"
#include "vmm/control_socket.h"
#include "vmm/expectations.h"
#include "vmm/vmm.h"

namespace launcher {

struct CloudHypervisorLimits {
  std::chrono::milliseconds start{20'000};  // until its API answers
  std::chrono::milliseconds quick{15'000};
  // It tries to connect to the switch for 60 s, and its API is deaf meanwhile.
  std::chrono::milliseconds connecting{90'000};
  std::chrono::milliseconds removal{60'000};  // for the guest to let go of a device
};

class CloudHypervisor : public Vmm {
 public:
  using Limits = CloudHypervisorLimits;

  CloudHypervisor(boost::asio::io_context& loop, const VmSpec& spec, const Limits& limits = {});
  ~CloudHypervisor() override;

  std::vector<std::string> command() const override;
  Task<void> boot() override;
  Task<void> power_button() override;
  Task<void> shutdown() override;
  Task<void> reboot() override;
  Task<void> add_net(const VmNet& net) override;
  Task<std::string> add_device(const std::string& pci_address) override;
  Task<void> remove(const std::string& id) override;
  void process_ended() override;

  // State and configuration as it tells them.
  Task<nlohmann::json> info();

 private:
  Task<void> call(cloud_hypervisor::Request request, std::chrono::milliseconds limit);
  Task<void> start_and_boot();
  Task<void> stop();
  Task<void> attach(VmNet net);
  Task<std::string> pass(std::string pci_address);
  Task<void> let_go(std::string id);
  void take(const VmmEvent& event);

  VmSpec spec_;
  Limits limits_;
  cloud_hypervisor::ApiClient api_;
  std::shared_ptr<cloud_hypervisor::EventPipe> events_;
  Expectations removals_;
  std::shared_ptr<ProcessLife> life_ = std::make_shared<ProcessLife>();
};

}  // namespace launcher
