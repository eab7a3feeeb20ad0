// QEMU, driven over QMP: for machines without KVM, where cloud-hypervisor cannot run.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "vmm/controlled_vmm.h"
#include "vmm/qemu/accelerator.h"
#include "vmm/qemu/qmp_session.h"

namespace launcher {

class Qemu : public ControlledVmm {
 public:
  Qemu(boost::asio::io_context& loop, const VmSpec& spec, const VmmLimits& limits = {});
  ~Qemu() override;

  Task<void> prepare() override;
  std::vector<std::string> command() const override;

 private:
  const char* vmm_name() const override { return "QEMU"; }
  Task<void> start_and_boot() override;
  Task<void> press_power_button() override;
  Task<void> stop() override;
  Task<void> reset() override;
  Task<void> plug(VmNet net) override;
  Task<void> plug_device(std::string pci_address) override;
  Task<void> unplug(std::string id) override;
  Task<void> clean_up(std::string id) override;
  Task<void> call(std::string command);
  Task<void> call(qemu::Command command, std::chrono::milliseconds limit);
  Task<void> call_all(std::vector<qemu::Command> commands);
  Task<void> try_all(std::vector<qemu::Command> commands);
  void take(const nlohmann::json& event);

  boost::asio::io_context& loop_;
  qemu::Accelerator accelerator_ = qemu::Accelerator::tcg;
  std::shared_ptr<qemu::QmpSession> qmp_;
  std::set<std::string> nets_;  // ids of what has a backend to remove with it
};

}  // namespace launcher
