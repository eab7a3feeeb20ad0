#include "frontend/dirty_log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "frontend/error.h"

namespace frontend {
namespace {

constexpr std::size_t kWordBits = 64;

std::size_t bytes_for(const GuestMemory& memory) {
  uint64_t end = 0;
  for (const MemoryRegion& region : memory.table()) {
    end = std::max(end, region.guest_address + region.size);
  }
  const uint64_t words = end / DirtyLog::kPage / kWordBits + 1;
  return words * sizeof(uint64_t);
}

}  // namespace

DirtyLog::DirtyLog(const GuestMemory& memory, bool sealed)
    : fd_(memfd_create("dirty-log", MFD_CLOEXEC | MFD_ALLOW_SEALING)), bytes_(bytes_for(memory)) {
  if (!fd_ || ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) {
    throw Error(std::string("dirty log: ") + std::strerror(errno));
  }
  if (sealed) fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  void* mapped = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (mapped == MAP_FAILED) throw Error(std::string("dirty log: mmap: ") + std::strerror(errno));
  bits_ = static_cast<uint64_t*>(mapped);
}

DirtyLog::~DirtyLog() {
  munmap(bits_, bytes_);
}

std::set<uint64_t> DirtyLog::take() {
  std::set<uint64_t> pages;
  for (std::size_t word = 0; word < bytes_ / sizeof(uint64_t); ++word) {
    uint64_t bits = std::atomic_ref(bits_[word]).load(std::memory_order_relaxed);
    if (bits != 0) bits = std::atomic_ref(bits_[word]).exchange(0);
    for (; bits != 0; bits &= bits - 1) {
      pages.insert(word * kWordBits + static_cast<unsigned>(std::countr_zero(bits)));
    }
  }
  return pages;
}

void DirtyLog::truncate() {
  if (ftruncate(fd_.get(), 0) != 0) throw Error(std::string("ftruncate: ") + std::strerror(errno));
}

}  // namespace frontend
