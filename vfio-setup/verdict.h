// Whether a PCI function can be given to a VM, and why not.
//
// A group is what the IOMMU can tell apart, so it is passed whole. Its bridges stay with the
// host: the kernel's own drivers of PCI bridges do no DMA and are allowed in a passed group; any
// other driver on a bridge keeps the group from being passed (vfio, "group viability").
#pragma once

#include <string>
#include <vector>

#include "host_snapshot.h"

namespace vfio_setup {

struct Verdict {
  std::vector<std::string> impossible;  // nothing but a change of the machine helps
  std::vector<std::string> in_use;      // the host would lose it: only with --force
  std::vector<std::string> notes;       // worth knowing

  bool can_be_passed() const { return impossible.empty() && in_use.empty(); }
};

Verdict judge(const HostSnapshot& host, const PciDevice& device);

}  // namespace vfio_setup
