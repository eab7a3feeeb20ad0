// What bind is going to do, decided on a snapshot: which functions, from which drivers.
#pragma once

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "host_snapshot.h"

namespace vfio_setup {

// The request cannot or must not be carried out; the message says why and what to do.
class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct BindPlan {
  const PciDevice* target = nullptr;
  std::vector<const PciDevice*> devices;  // of its group, without bridges
  std::vector<std::string> overridden;    // reasons against it that --force overrode
  std::vector<std::string> notes;

  bool is_done() const;  // all functions are vfio-pci's already
};

// `request` is an address or "auto"; `bound` are addresses that vfio-setup has bound already,
// which "auto" then means.
BindPlan plan_bind(const HostSnapshot& host, const std::string& request, bool force,
                   const std::set<std::string>& bound);

// The plan in words, one step a line.
std::vector<std::string> describe(const HostSnapshot& host, const BindPlan& plan);

// "00:19.0", as lspci prints it, completed to "0000:00:19.0".
std::string full_address(const std::string& address);

}  // namespace vfio_setup
