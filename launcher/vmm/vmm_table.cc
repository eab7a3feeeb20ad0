// Every VMM there is: a new one is a row here.
#include "vmm/cloud_hypervisor/driver.h"
#include "vmm/qemu/driver.h"
#include "vmm/vmm.h"

namespace launcher {

namespace {

template <typename Driver>
std::unique_ptr<Vmm> make(boost::asio::io_context& loop, const VmSpec& spec) {
  return std::make_unique<Driver>(loop, spec);
}

constexpr VmmDriver table[] = {
    {VmmKind::cloud_hypervisor, "cloud-hypervisor", "cloud-hypervisor", make<CloudHypervisor>},
    {VmmKind::qemu, "qemu", "qemu-system-x86_64", make<Qemu>},
};

}  // namespace

const VmmDriver& find_vmm(const std::string& name) {
  std::string known;
  for (const VmmDriver& driver : table) {
    if (name == driver.name) return driver;
    known += (known.empty() ? "" : ", ") + std::string(driver.name);
  }
  throw VmmError("no VMM '" + name + "'; there are: " + known);
}

const VmmDriver& find_vmm(VmmKind kind) {
  for (const VmmDriver& driver : table) {
    if (kind == driver.kind) return driver;
  }
  throw VmmError("a VMM without a driver");
}

}  // namespace launcher
