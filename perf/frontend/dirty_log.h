// The VMM's end of a live migration's dirty log: a bitmap in a memfd, one bit for each page of 4096
// bytes by guest-physical address, which the back-end sets (vhost-user.rst, "Migration").
//
// Threads: take() by one; the back-end sets bits meanwhile. Errors: frontend::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "frontend/file_descriptor.h"
#include "frontend/guest_memory.h"

namespace frontend {

class DirtyLog {
 public:
  static constexpr uint64_t kPage = 4096;

  // For all of that memory as it is now. Sealed as QEMU does it, unless it is to be truncated.
  explicit DirtyLog(const GuestMemory& memory, bool sealed = true);
  ~DirtyLog();
  DirtyLog(const DirtyLog&) = delete;
  DirtyLog& operator=(const DirtyLog&) = delete;

  int descriptor() const { return fd_.get(); }
  std::size_t bytes() const { return bytes_; }
  // The numbers of the pages that were marked since the last call.
  std::set<uint64_t> take();
  void truncate();  // to nothing, under the back-end's feet

 private:
  FileDescriptor fd_;
  std::size_t bytes_ = 0;
  uint64_t* bits_ = nullptr;
};

}  // namespace frontend
