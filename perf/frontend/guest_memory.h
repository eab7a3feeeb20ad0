// A guest's memory: memfds mapped here, shown to the back-end at guest-physical addresses that are
// different from ours (a back-end that forgets to translate is found out), with gaps in between.
//
// Memory is handed out front to back and never taken back: guests live as long as a test.
// Errors: frontend::Error. Threads: allocate from one; memory itself is shared with the back-end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "frontend/file_descriptor.h"
#include "frontend/protocol.h"

namespace frontend {

struct MemoryOptions {
  std::vector<std::size_t> regions = {64u << 20};  // bytes of each; rounded up to whole pages
  uint64_t guest_address = 0x1'0000'0000;          // of the first region
  uint64_t gap = 0x20'0000;                        // between regions, in guest addresses
  std::size_t file_offset = 0;                     // of each region in its memfd (mmap_offset)
  bool hugepages = false;                          // of 2 MB; an error when there are too few
  bool sealed = true;                              // against shrinking, as QEMU does
};

class GuestMemory {
 public:
  explicit GuestMemory(const MemoryOptions& options);
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  // Zeroed memory in one region (the first with room, or the one asked for). `alignment` is a power
  // of two.
  uint8_t* allocate(std::size_t bytes, std::size_t alignment = 64);
  uint8_t* allocate_in(std::size_t region, std::size_t bytes, std::size_t alignment = 64);

  uint64_t guest_address(const void* host) const;
  uint64_t user_address(const void* host) const;  // as SET_VRING_ADDR wants it
  uint8_t* host(uint64_t guest_address) const;

  // The bytes of a region, as they are mapped here.
  std::span<const uint8_t> bytes(std::size_t region) const {
    return {regions_.at(region).host, regions_.at(region).size};
  }
  // What the back-end is shown: all regions, or those that show() named last.
  std::span<const MemoryRegion> table() const { return shown_table_; }
  std::vector<int> descriptors() const;
  // The next table has these regions only: the others were unplugged, or are not plugged in yet.
  void show(std::span<const std::size_t> regions);
  std::size_t regions() const { return regions_.size(); }
  // A hostile VMM cuts memory off under the back-end's feet. Needs sealed = false.
  void truncate(std::size_t region, std::size_t bytes);

 private:
  struct Region {
    FileDescriptor fd;
    uint8_t* host = nullptr;
    std::size_t size = 0;
    std::size_t used = 0;
  };

  void add(const MemoryOptions& options, std::size_t bytes, uint64_t guest_address);
  std::size_t region_of(const void* host) const;

  std::vector<Region> regions_;
  std::vector<MemoryRegion> table_;
  std::vector<std::size_t> shown_;
  std::vector<MemoryRegion> shown_table_;
};

}  // namespace frontend
