// NICs on USB. What can be passed is the controller, with everything else that hangs on it.
#pragma once

#include <string>
#include <vector>

#include "host_snapshot.h"

namespace vfio_setup {

struct UsbNic {
  const NetInterface* interface;
  std::string product;
  const PciDevice* controller;
  std::vector<const UsbDevice*> others;  // on the same controller
};

std::vector<UsbNic> usb_nics(const HostSnapshot& host);

}  // namespace vfio_setup
