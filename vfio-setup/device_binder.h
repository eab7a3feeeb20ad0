// Moving one PCI function between drivers, by sysfs.
//
// driver_override names the only driver that may take the function, so no other function of the
// same kind is touched and no driver learns an id (new_id would do both). Each move is verified
// by the driver link afterwards: the kernel reports a failed probe nowhere else.
#pragma once

#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

class DeviceBinder {
 public:
  explicit DeviceBinder(const Paths& paths) : paths_(paths) {}

  bool is_present(const std::string& address) const;
  std::string driver_of(const std::string& address) const;

  void set_override(const std::string& address, const std::string& driver) const;
  // While it has its driver, which makes and removes them: vfio-pci takes no function that has any,
  // and not every driver removes them when it goes.
  void remove_virtual_functions(const std::string& address) const;
  void unbind(const std::string& address) const;  // from whatever driver it has
  // Lets the kernel find the driver, and throws unless it is this one.
  void probe(const std::string& address, const std::string& driver) const;

  // Back to the driver it had, whatever state it was left in. False when there was nothing to do.
  bool give_back(const std::string& address, const std::string& driver,
                 const std::vector<std::string>& modules, const std::string& override) const;

 private:
  bool driver_is_registered(const std::string& driver) const;

  Paths paths_;
};

}  // namespace vfio_setup
