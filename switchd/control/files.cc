#include "control/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace control {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, int error = errno) {
  throw std::system_error(error, std::generic_category(), path.string());
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(int fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path);
    content.remove_prefix(static_cast<size_t>(written));
  }
}

void write_new_file(const fs::path& path, std::string_view content) {
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) fail(path);
  write_all(file.get(), content, path);
  if (fsync(file.get()) != 0) fail(path);
}

void sync_directory(const fs::path& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) fail(path);
}

}  // namespace

std::optional<std::string> read_file(const fs::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  if (file.get() < 0) fail(path);
  std::string content;
  std::array<char, 4096> block{};
  while (true) {
    const ssize_t length = read(file.get(), block.data(), block.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) fail(path);
    if (length == 0) return content;
    content.append(block.data(), static_cast<size_t>(length));
  }
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  const fs::path temporary = path.string() + ".new";
  try {
    write_new_file(temporary, content);
    if (rename(temporary.c_str(), path.c_str()) != 0) fail(path);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  sync_directory(path.parent_path());
}

}  // namespace control
