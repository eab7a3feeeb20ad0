// cloud-hypervisor, driven over its REST API and followed by its event monitor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vmm/cloud_hypervisor/api_client.h"
#include "vmm/cloud_hypervisor/event_pipe.h"
#include "vmm/controlled_vmm.h"

namespace launcher {

class CloudHypervisor : public ControlledVmm {
 public:
  CloudHypervisor(boost::asio::io_context& loop, const VmSpec& spec, const VmmLimits& limits = {});
  ~CloudHypervisor() override;

  std::vector<std::string> command() const override;

 private:
  const char* vmm_name() const override { return "cloud-hypervisor"; }
  Task<void> start_and_boot() override;
  Task<void> press_power_button() override;
  Task<void> stop() override;
  Task<void> reset() override;
  Task<void> plug(VmNet net) override;
  Task<void> plug_device(std::string pci_address) override;
  Task<void> unplug(std::string id) override;
  Task<void> clean_up(std::string id) override;
  Task<void> call(cloud_hypervisor::Request request, std::chrono::milliseconds limit);

  cloud_hypervisor::ApiClient api_;
  std::shared_ptr<cloud_hypervisor::EventPipe> events_;
};

}  // namespace launcher
