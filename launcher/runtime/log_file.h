// A log that a guest or VMM fills and that cannot fill the disk: at kMostBytes it is moved to
// NAME.old and begun anew.
//
// Threads: one. Errors: LaunchError when it cannot be opened; what cannot be written is lost.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "process/file_descriptor.h"

namespace launcher {

class LogFile {
 public:
  static constexpr size_t kMostBytes = 4 << 20;

  explicit LogFile(std::filesystem::path path);

  void write(std::string_view bytes);
  const std::filesystem::path& path() const { return path_; }

 private:
  void open();

  std::filesystem::path path_;
  FileDescriptor file_;
  size_t size_ = 0;
};

}  // namespace launcher
