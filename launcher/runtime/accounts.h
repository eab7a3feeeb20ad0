// What another user may do with files, and giving files to users.
//
// Threads: main thread (may_access() forks); sockets from any. Errors: LaunchError.
#pragma once

#include <filesystem>
#include <optional>

#include "process/child_process.h"

namespace launcher {

// access(2) as that user, the way to the file included. `mode` is R_OK, W_OK, X_OK.
bool may_access(const std::optional<Credentials>& user, const std::filesystem::path& path,
                int mode);

// A socket that another user, `maker`, made in a directory of its own: nothing but a socket of the
// maker's, or of the user's already, is given away, whatever is put at that path meanwhile.
void give_socket(const std::filesystem::path& path, uid_t maker, const Credentials& user);

// One that was given away, and on which nobody listens any more, is removed: the maker may not even
// find that out. Anything else at that path is left alone.
void remove_stale_socket(const std::filesystem::path& path, uid_t maker, const Credentials& user);

}  // namespace launcher
