#include "sysfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace vfio_setup {
namespace {

class FileDescriptor {
 public:
  FileDescriptor(const std::filesystem::path& path, int flags, int mode = 0)
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) fail("cannot open");
  }
  ~FileDescriptor() { ::close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  void write_all(const std::string& text) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) fail("cannot write '" + text + "' to");
  }
  void sync() {
    if (::fsync(fd_) != 0) fail("cannot sync");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::system_error(errno, std::generic_category(), what + " " + path_.string());
  }

  std::filesystem::path path_;
  int fd_;
};

}  // namespace

std::optional<std::string> read_attribute(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string::npos) return std::string();
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::string link_name(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).filename().string();
}

std::vector<std::string> directory_entries(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void write_attribute(const std::filesystem::path& path, const std::string& value) {
  FileDescriptor(path, O_WRONLY).write_all(value);
}

void replace_file(const std::filesystem::path& path, const std::string& content, int mode) {
  std::filesystem::create_directories(path.parent_path());
  const std::filesystem::path draft = path.string() + ".new";
  {
    FileDescriptor file(draft, O_WRONLY | O_CREAT | O_TRUNC, mode);
    file.write_all(content);
    file.sync();
  }
  std::filesystem::rename(draft, path);
  FileDescriptor(path.parent_path(), O_RDONLY | O_DIRECTORY).sync();
}

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace vfio_setup
