// What all drivers of a VMM with a control socket have in common: the VM's name before each error,
// time-outs, and the wait for a guest to let go of a device. A driver says what is asked of its
// VMM in that one's words.
//
// Threads and errors: as vmm.h says.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "vmm/control_socket.h"
#include "vmm/expectations.h"
#include "vmm/vmm.h"

namespace launcher {

struct VmmLimits {
  std::chrono::milliseconds start{20'000};  // until its socket listens
  std::chrono::milliseconds quick{15'000};
  // While it makes an interface, or has lost one's switch, it waits for that, and is deaf:
  // cloud-hypervisor for 60 s, QEMU without limit.
  std::chrono::milliseconds connecting{90'000};
  std::chrono::milliseconds running{75'000};  // of cloud-hypervisor's whose VM runs
  std::chrono::milliseconds removal{60'000};  // for the guest to let go of a device
};

class ControlledVmm : public Vmm {
 public:
  ControlledVmm(boost::asio::io_context& loop, const VmSpec& spec, const VmmLimits& limits)
      : spec_(spec), limits_(limits), removals_(loop) {}

  Task<void> boot() final;
  Task<void> power_button() final;
  Task<void> shutdown() final;
  Task<void> reboot() final;
  Task<void> add_net(const VmNet& net) final;
  Task<std::string> add_device(const std::string& pci_address) final;
  Task<void> remove(const std::string& id) final;
  Task<void> forget(const std::string& id) final;
  void process_ended() final;

 protected:
  // An event of the VMM's, for whoever waits and for the runtime.
  void tell(const VmmEvent& event);

  const VmSpec spec_;
  const VmmLimits limits_;
  const std::shared_ptr<ProcessLife> life_ = std::make_shared<ProcessLife>();

 private:
  virtual const char* vmm_name() const = 0;
  virtual Task<void> start_and_boot() = 0;
  virtual Task<void> press_power_button() = 0;
  virtual Task<void> stop() = 0;
  virtual Task<void> reset() = 0;
  // The switch has a socket for it.
  virtual Task<void> plug(VmNet net) = 0;
  // As a device of the name device_id().
  virtual Task<void> plug_device(std::string pci_address) = 0;
  // Asks the guest; the event device_removed tells of its consent.
  virtual Task<void> unplug(std::string id) = 0;
  // What the VMM keeps of a device that is gone. May come twice.
  virtual Task<void> clean_up(std::string id) = 0;

  Task<void> attach(VmNet net);
  Task<std::string> pass(std::string pci_address);
  Task<void> let_go(std::string id);

  Expectations removals_;
};

}  // namespace launcher
