#include "usb_nic.h"

namespace vfio_setup {

std::vector<UsbNic> usb_nics(const HostSnapshot& host) {
  std::vector<UsbNic> nics;
  for (const NetInterface& interface : host.use.interfaces) {
    const PciDevice* controller = host.find(interface.owner);
    if (interface.usb_path.empty() || controller == nullptr) continue;
    UsbNic nic{&interface, "", controller, {}};
    for (const UsbDevice& usb : host.use.usb) {
      if (usb.path == interface.usb_path && usb.owner == interface.owner) {
        nic.product = usb.product;
      } else if (usb.owner == interface.owner) {
        nic.others.push_back(&usb);
      }
    }
    nics.push_back(std::move(nic));
  }
  return nics;
}

}  // namespace vfio_setup
