// A file that says, for as long as it is locked, who holds something.
//
// Threads: any. Errors: LaunchError; OwnedError when another process has it.
#pragma once

#include <filesystem>
#include <string>

#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher {

class OwnedError : public LaunchError {
 public:
  using LaunchError::LaunchError;
};

class LockFile {
 public:
  // `holder` is what others are told; `what` is held, `remedy` what they can do. In their error:
  // "WHAT is run by HOLDER; REMEDY".
  LockFile(std::filesystem::path path, const std::string& holder, const std::string& what,
           const std::string& remedy);
  ~LockFile();  // removes it
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace launcher
