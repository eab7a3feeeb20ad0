// The guest memory a VMM has announced: checked regions, without any mapping.
//
// Threads: a plain value. Errors: check() throws ProtocolError.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vhost/door/fd_facts.h"
#include "vhost/door/wire.h"

namespace vhost::door {

class MemoryLayout {
 public:
  MemoryLayout() = default;

  // A SET_MEM_TABLE of `payload_size` bytes with these descriptors. 1 to 8 regions, none empty,
  // none that wraps round or overlaps another, each backed by a memory file that is long enough.
  static MemoryLayout check(const RegionTable& table, uint32_t payload_size,
                            std::span<const FdFacts> fds);

  bool empty() const { return regions_.empty(); }

  // True when [address, address + length) of the VMM's address space lies within one region.
  bool contains_user(uint64_t address, uint64_t length) const;

  // The guest-physical address of what the VMM has at `address`, if that is guest memory.
  std::optional<uint64_t> guest_physical(uint64_t address) const;

  // The last guest-physical byte. REQUIRES: !empty().
  uint64_t highest_guest_physical() const;

 private:
  std::vector<Region> regions_;
};

}  // namespace vhost::door
