// QEMU, driven over QMP: for machines without KVM, where cloud-hypervisor cannot run.
#pragma once

#include <memory>
#include <set>

#include "vmm/control_socket.h"
#include "vmm/expectations.h"
#include "vmm/qemu/accelerator.h"
#include "vmm/qemu/qmp_session.h"
#include "vmm/vmm.h"

namespace launcher {

struct QemuLimits {
  std::chrono::milliseconds start{20'000};  // until its socket listens
  std::chrono::milliseconds quick{15'000};
  // It waits for the switch without limit while it makes an interface, and is deaf meanwhile.
  std::chrono::milliseconds connecting{90'000};
  std::chrono::milliseconds removal{60'000};  // for the guest to let go of a device
};

class Qemu : public Vmm {
 public:
  using Limits = QemuLimits;

  Qemu(boost::asio::io_context& loop, const VmSpec& spec, const Limits& limits = {});
  ~Qemu() override;

  std::vector<std::string> command() const override;
  Task<void> boot() override;
  Task<void> power_button() override;
  Task<void> shutdown() override;
  Task<void> reboot() override;
  Task<void> add_net(const VmNet& net) override;
  Task<std::string> add_device(const std::string& pci_address) override;
  Task<void> remove(const std::string& id) override;
  void process_ended() override;

 private:
  Task<void> start_and_boot();
  Task<void> call(std::string command);
  Task<void> call(qemu::Command command, std::chrono::milliseconds limit);
  Task<void> call_all(std::vector<qemu::Command> commands);
  Task<void> try_all(std::vector<qemu::Command> commands);
  Task<void> quit();
  Task<void> attach(VmNet net);
  Task<std::string> pass(std::string pci_address);
  Task<void> let_go(std::string id);
  void take(const nlohmann::json& event);

  VmSpec spec_;
  Limits limits_;
  qemu::Accelerator accelerator_;
  std::shared_ptr<qemu::QmpSession> qmp_;
  Expectations removals_;
  std::set<std::string> nets_;  // ids of what has a backend to remove with it
  std::shared_ptr<ProcessLife> life_ = std::make_shared<ProcessLife>();
};

}  // namespace launcher
