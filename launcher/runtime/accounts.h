// What another user may do with files, and giving files to users.
//
// Threads: main thread (forks). Errors: LaunchError.
#pragma once

#include <filesystem>
#include <optional>

#include "runtime/child_process.h"

namespace launcher {

// access(2) as that user, the way to the file included. `mode` is R_OK, W_OK.
bool may_access(const std::optional<Credentials>& user, const std::filesystem::path& path,
                int mode);

// A socket in a directory that another user writes: nothing but a socket at that very path is given
// away, whatever is put there meanwhile.
void give_socket(const std::filesystem::path& path, const Credentials& user);

}  // namespace launcher
