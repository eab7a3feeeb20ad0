// A guest's memory as the VMM shared it: an immutable table of regions, guest-physical to host.
//
// A table is built when the VMM announces it (SET_MEM_TABLE) and never changes; a new one replaces
// it while every ring that used it stands still. Each ring keeps the region it used last, because
// nearly every buffer of a ring lies in one region.
//
// While the VM migrates the table has a dirty log, and whoever writes into guest memory says so
// afterwards: if (logs()) log(...), which is all that it costs while there is none.
//
// Threads: immutable after construction; RegionCache belongs to one ring.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "vhost/dirty_log.h"

namespace vhost {

struct MemoryRegion {
  uint64_t guest_start = 0;  // guest-physical address
  uint64_t size = 0;         // bytes
  uint8_t* host = nullptr;   // where guest_start is mapped here
};

class GuestMemory {
 public:
  // As many as rte_vhost maps (VHOST_MEMORY_MAX_NREGIONS).
  static constexpr unsigned kMaxRegions = 8;

  // Regions of size zero, or whose end would pass 2^64, are left out.
  void add(const MemoryRegion& region) noexcept {
    if (count_ == kMaxRegions || region.size == 0) return;
    if (region.guest_start + region.size < region.guest_start) return;
    regions_[count_++] = region;
  }

  // Writes are to be logged there from now on. REQUIRES: no ring uses the table yet.
  void set_log(const DirtyLog* log) noexcept { log_ = log; }
  const DirtyLog* log() const noexcept { return log_; }

  unsigned count() const noexcept { return count_; }
  const MemoryRegion& region(unsigned i) const noexcept { return regions_[i]; }

  // The region that holds `guest`, or one of size zero.
  MemoryRegion find(uint64_t guest) const noexcept {
    for (unsigned i = 0; i < count_; ++i) {
      if (guest - regions_[i].guest_start < regions_[i].size) return regions_[i];
    }
    return {};
  }

  // The region that `host` lies in, or one of size zero.
  MemoryRegion find_host(const uint8_t* host) const noexcept {
    for (unsigned i = 0; i < count_; ++i) {
      if (offset_in(regions_[i], host) < regions_[i].size) return regions_[i];
    }
    return {};
  }
  static uint64_t offset_in(const MemoryRegion& region, const void* host) noexcept {
    return reinterpret_cast<uintptr_t>(host) - reinterpret_cast<uintptr_t>(region.host);
  }

  // The last guest-physical byte of all regions; 0 without any.
  uint64_t highest() const noexcept {
    uint64_t highest = 0;
    for (unsigned i = 0; i < count_; ++i) {
      highest = std::max(highest, regions_[i].guest_start + regions_[i].size - 1);
    }
    return highest;
  }

  // Whether host memory [start, start + length) lies inside one region.
  bool holds_host(const void* start, size_t length) const noexcept {
    for (unsigned i = 0; i < count_; ++i) {
      const uint64_t offset = offset_in(regions_[i], start);
      if (offset < regions_[i].size && length <= regions_[i].size - offset) return true;
    }
    return false;
  }

 private:
  std::array<MemoryRegion, kMaxRegions> regions_{};
  unsigned count_ = 0;
  const DirtyLog* log_ = nullptr;
};

// The region a ring used last.
class RegionCache {
 public:
  void reset(const GuestMemory* memory) noexcept {
    memory_ = memory;
    log_ = memory->log();
    last_ = {};
  }

  // Whether writes into this memory must be logged.
  bool logs() const noexcept { return __builtin_expect(log_ != nullptr, 0); }
  // [at, at + length), which translate() gave, was written. REQUIRES: logs().
  void log(const void* at, uint64_t length) const noexcept {
    const auto* host = static_cast<const uint8_t*>(at);
    MemoryRegion region = last_;
    if (GuestMemory::offset_in(region, host) >= region.size) region = memory_->find_host(host);
    if (region.size == 0) return;
    log_->mark(region.guest_start + GuestMemory::offset_in(region, host), length);
  }

  // Where [guest, guest + length) is mapped, or nullptr when it is not inside one region.
  uint8_t* translate(uint64_t guest, uint32_t length) noexcept {
    uint64_t offset = guest - last_.guest_start;
    if (__builtin_expect(offset >= last_.size || length > last_.size - offset, 0)) {
      last_ = memory_->find(guest);
      offset = guest - last_.guest_start;
      if (offset >= last_.size || length > last_.size - offset) return nullptr;
    }
    return last_.host + offset;
  }

  // Where `guest` is mapped and how many bytes follow it there; nullptr when it is nowhere.
  uint8_t* translate_some(uint64_t guest, uint64_t& available) noexcept {
    uint64_t offset = guest - last_.guest_start;
    if (offset >= last_.size) {
      last_ = memory_->find(guest);
      offset = guest - last_.guest_start;
      if (offset >= last_.size) return nullptr;
    }
    available = last_.size - offset;
    return last_.host + offset;
  }

 private:
  MemoryRegion last_;
  const DirtyLog* log_ = nullptr;
  const GuestMemory* memory_ = nullptr;
};

}  // namespace vhost
