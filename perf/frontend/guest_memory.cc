#include "frontend/guest_memory.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <numeric>
#include <string>

#include "frontend/error.h"

namespace frontend {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = 2u << 20;
// What the VMM calls its own addresses means nothing to a back-end. Ours are moved by this, so that
// one that uses them as pointers is found out.
constexpr uint64_t kUserAddressShift = 0x1000'0000'0000;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

[[noreturn]] void fail(const std::string& what) {
  throw Error("guest memory: " + what + ": " + std::strerror(errno));
}

}  // namespace

GuestMemory::GuestMemory(const MemoryOptions& options) {
  if (options.regions.empty()) throw Error("guest memory: at least one region");
  regions_.reserve(options.regions.size());
  uint64_t guest_address = options.guest_address;
  for (const std::size_t bytes : options.regions) {
    add(options, bytes, guest_address);
    guest_address += regions_.back().size + options.gap;
  }
  shown_.resize(regions_.size());
  std::iota(shown_.begin(), shown_.end(), std::size_t{0});
  shown_table_ = table_;
}

void GuestMemory::show(std::span<const std::size_t> regions) {
  shown_.assign(regions.begin(), regions.end());
  shown_table_.clear();
  for (const std::size_t region : shown_) shown_table_.push_back(table_.at(region));
}

GuestMemory::~GuestMemory() {
  for (const Region& region : regions_) munmap(region.host, region.size);
}

void GuestMemory::add(const MemoryOptions& options, std::size_t bytes, uint64_t guest_address) {
  Region region;
  region.size = round_up(bytes, options.hugepages ? kHugePage : kPage);
  const unsigned flags =
      MFD_CLOEXEC | MFD_ALLOW_SEALING | (options.hugepages ? MFD_HUGETLB | MFD_HUGE_2MB : 0u);
  region.fd = FileDescriptor(memfd_create("guest-memory", flags));
  if (!region.fd) fail("memfd_create");
  const auto offset = static_cast<off_t>(options.file_offset);
  if (ftruncate(region.fd.get(), offset + static_cast<off_t>(region.size)) != 0) {
    fail("ftruncate");
  }
  if (options.sealed) {
    fcntl(region.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  }
  void* host =
      mmap(nullptr, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd.get(), offset);
  if (host == MAP_FAILED && options.hugepages) {
    fail("no " + std::to_string(region.size / kHugePage) +
         " free hugepages of 2 MB (raise /proc/sys/vm/nr_hugepages or do without)");
  }
  if (host == MAP_FAILED) fail("mmap");
  region.host = static_cast<uint8_t*>(host);
  table_.push_back({guest_address, region.size,
                    reinterpret_cast<uintptr_t>(region.host) + kUserAddressShift,
                    options.file_offset});
  regions_.push_back(std::move(region));
}

uint8_t* GuestMemory::allocate(std::size_t bytes, std::size_t alignment) {
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (round_up(regions_[i].used, alignment) + bytes <= regions_[i].size) {
      return allocate_in(i, bytes, alignment);
    }
  }
  throw Error("guest memory: no region has room for " + std::to_string(bytes) + " bytes");
}

uint8_t* GuestMemory::allocate_in(std::size_t index, std::size_t bytes, std::size_t alignment) {
  Region& region = regions_.at(index);
  const std::size_t start = round_up(region.used, alignment);
  if (start + bytes > region.size) {
    throw Error("guest memory: region " + std::to_string(index) + " has no room for " +
                std::to_string(bytes) + " bytes");
  }
  region.used = start + bytes;
  return region.host + start;
}

std::size_t GuestMemory::region_of(const void* host) const {
  const auto* byte = static_cast<const uint8_t*>(host);
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (byte >= regions_[i].host && byte < regions_[i].host + regions_[i].size) return i;
  }
  throw Error("guest memory: an address outside of every region");
}

uint64_t GuestMemory::guest_address(const void* host) const {
  const std::size_t i = region_of(host);
  return table_[i].guest_address +
         static_cast<uint64_t>(static_cast<const uint8_t*>(host) - regions_[i].host);
}

uint64_t GuestMemory::user_address(const void* host) const {
  const std::size_t i = region_of(host);
  return table_[i].user_address +
         static_cast<uint64_t>(static_cast<const uint8_t*>(host) - regions_[i].host);
}

uint8_t* GuestMemory::host(uint64_t guest_address) const {
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    const uint64_t offset = guest_address - table_[i].guest_address;
    if (offset < regions_[i].size) return regions_[i].host + offset;
  }
  throw Error("guest memory: a guest address outside of every region");
}

std::vector<int> GuestMemory::descriptors() const {
  std::vector<int> fds;
  for (const std::size_t region : shown_) fds.push_back(regions_[region].fd.get());
  return fds;
}

void GuestMemory::truncate(std::size_t region, std::size_t bytes) {
  if (ftruncate(regions_.at(region).fd.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate");
}

}  // namespace frontend
