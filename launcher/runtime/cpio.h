// A cpio archive in the "newc" format, as the kernel unpacks it
// (Documentation/driver-api/early-userspace/buffer-format.rst).
//
// Threads: plain value.
#pragma once

#include <cstdint>
#include <string>

namespace launcher {

class Cpio {
 public:
  void directory(const std::string& name, unsigned mode);
  void file(const std::string& name, unsigned mode, const std::string& bytes);
  // The whole archive; nothing may be added afterwards.
  std::string finish();

 private:
  void add(const std::string& name, unsigned mode, const std::string& bytes);

  std::string archive_;
  uint32_t inode_ = 0;
};

}  // namespace launcher
