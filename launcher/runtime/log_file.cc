#include "runtime/log_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "process/error.h"

namespace launcher {

LogFile::LogFile(std::filesystem::path path) : path_(std::move(path)) {
  open();
}

void LogFile::open() {
  file_ = FileDescriptor(::open(
      path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) throw LaunchError(path_.string() + ": " + std::strerror(errno));
  size_ = 0;
}

void LogFile::write(std::string_view bytes) {
  if (size_ + bytes.size() > kMostBytes) {
    std::error_code error;
    std::filesystem::rename(path_, path_.string() + ".old", error);
    open();
  }
  const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
  if (written > 0) size_ += static_cast<size_t>(written);
}

}  // namespace launcher
