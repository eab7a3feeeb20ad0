#include "runtime/cpio.h"

#include <sys/stat.h>

#include <cstdio>

namespace launcher {
namespace {

// Headers with their names, and contents, each fill a multiple of four bytes.
void pad(std::string& archive) {
  archive.resize((archive.size() + 3) / 4 * 4);
}

}  // namespace

void Cpio::add(const std::string& name, unsigned mode, const std::string& bytes) {
  ++inode_;
  const uint32_t fields[] = {inode_,
                             mode,
                             0,
                             0,
                             1,
                             0,
                             static_cast<uint32_t>(bytes.size()),
                             0,
                             0,
                             0,
                             0,
                             static_cast<uint32_t>(name.size() + 1),
                             0};
  archive_ += "070701";
  for (const uint32_t field : fields) {
    char text[9];
    std::snprintf(text, sizeof text, "%08X", field);
    archive_ += text;
  }
  archive_ += name;
  archive_ += '\0';
  pad(archive_);
  archive_ += bytes;
  pad(archive_);
}

void Cpio::directory(const std::string& name, unsigned mode) {
  add(name, S_IFDIR | mode, "");
}

void Cpio::file(const std::string& name, unsigned mode, const std::string& bytes) {
  add(name, S_IFREG | mode, bytes);
}

std::string Cpio::finish() {
  add("TRAILER!!!", 0, "");
  return archive_;
}

}  // namespace launcher
