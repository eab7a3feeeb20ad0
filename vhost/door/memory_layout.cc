#include "vhost/door/memory_layout.h"

#include <algorithm>
#include <limits>
#include <string>

#include "vhost/door/message_rules.h"

namespace vhost::door {
namespace {

[[noreturn]] void refuse(uint32_t index, const std::string& why) {
  throw ProtocolError("SET_MEM_TABLE region " + std::to_string(index) + ": " + why);
}

bool wraps(uint64_t start, uint64_t size) {
  return start > std::numeric_limits<uint64_t>::max() - size;
}

bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

void check_region(uint32_t index, const Region& region, const FdFacts& file) {
  if (region.size == 0) refuse(index, "empty");
  if (wraps(region.guest_physical, region.size)) refuse(index, "guest address wraps round");
  // A ring whose addresses were never set has address 0 in rte_vhost: nothing may lie there.
  if (region.user == 0) refuse(index, "user address 0");
  if (wraps(region.user, region.size)) refuse(index, "user address wraps round");
  if (wraps(region.mmap_offset, region.size)) refuse(index, "file offset wraps round");
  if (file.kind != FdFacts::Kind::memory) {
    refuse(index, "its file is neither on tmpfs (memfd) nor on hugetlbfs");
  }
  if (file.size < region.mmap_offset + region.size) {
    refuse(index, "its file of " + std::to_string(file.size) + " bytes is shorter than " +
                      std::to_string(region.mmap_offset + region.size));
  }
}

void check_pair(uint32_t index, const Region& a, const Region& b) {
  if (overlap(a.guest_physical, a.size, b.guest_physical, b.size)) {
    refuse(index, "overlaps another in guest addresses");
  }
  if (overlap(a.user, a.size, b.user, b.size)) refuse(index, "overlaps another in user addresses");
}

}  // namespace

MemoryLayout MemoryLayout::check(const RegionTable& table, uint32_t payload_size,
                                 std::span<const FdFacts> fds) {
  const std::string count = std::to_string(table.count);
  if (table.count == 0 || table.count > kMaxRegions) {
    throw ProtocolError("SET_MEM_TABLE with " + count + " regions: 1 to 8 are possible");
  }
  const uint64_t needed = offsetof(RegionTable, regions) + table.count * sizeof(Region);
  if (payload_size < needed) {
    throw ProtocolError("SET_MEM_TABLE with " + count + " regions in a payload of " +
                        std::to_string(payload_size) + " bytes");
  }
  if (fds.size() != table.count) {
    throw ProtocolError("SET_MEM_TABLE with " + count + " regions and " +
                        std::to_string(fds.size()) + " file descriptors");
  }
  MemoryLayout layout;
  for (uint32_t i = 0; i < table.count; ++i) {
    check_region(i, table.regions[i], fds[i]);
    for (const Region& earlier : layout.regions_) check_pair(i, table.regions[i], earlier);
    layout.regions_.push_back(table.regions[i]);
  }
  return layout;
}

bool MemoryLayout::contains_user(uint64_t address, uint64_t length) const {
  return std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
    return address >= region.user && length <= region.size &&
           address - region.user <= region.size - length;
  });
}

std::optional<uint64_t> MemoryLayout::guest_physical(uint64_t address) const {
  for (const Region& region : regions_) {
    const uint64_t offset = address - region.user;
    if (offset < region.size) return region.guest_physical + offset;
  }
  return std::nullopt;
}

uint64_t MemoryLayout::highest_guest_physical() const {
  uint64_t highest = 0;
  for (const Region& region : regions_) {
    highest = std::max(highest, region.guest_physical + region.size - 1);
  }
  return highest;
}

}  // namespace vhost::door
