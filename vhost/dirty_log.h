// Which pages of a guest's memory were written: the dirty log of a live migration.
//
// While a VM migrates, its VMM copies memory that the switch still writes into. Each write leaves a
// bit in a bitmap that both share, one for each page of 4096 bytes by guest-physical address; the
// VMM clears the bit and copies the page again (vhost-user specification, "Migration").
//
// Order: the bit follows the write. Set before it, the VMM might clear the bit, copy the page as it
// was, and never come back. A ring's used index follows the bits of what it publishes, and has its
// own page marked last; a ring is stopped only between turns, when all bits are set.
//
// Trust: the VMM chose the file, may truncate it (memory_guard.h) and writes into it at will. No
// bit of it is used for anything here, and none is written beyond its end.
//
// Threads: any number at once; other VMs' workers mark pages of one guest.
#pragma once

#include <cstdint>

namespace vhost {

class DirtyLog {
 public:
  static constexpr uint64_t kPageBytes = 4096;

  DirtyLog(uint8_t* bits, uint64_t bytes) noexcept : bits_(bits), bytes_(bytes) {}

  // Whether every page up to that of guest-physical address `last` has a bit.
  bool covers(uint64_t last) const noexcept { return last / kPageBytes / 8 < bytes_; }

  // Guest-physical [start, start + length) was written. Pages without a bit are left out.
  void mark(uint64_t start, uint64_t length) const noexcept {
    if (length == 0) return;
    const uint64_t last = (start + length - 1) / kPageBytes;
    for (uint64_t page = start / kPageBytes; page <= last && page / 8 < bytes_; ++page) {
      __atomic_fetch_or(&bits_[page / 8], static_cast<uint8_t>(1u << page % 8), __ATOMIC_RELEASE);
    }
  }

 private:
  uint8_t* bits_;
  uint64_t bytes_;
};

}  // namespace vhost
