// The end of a log, for a message that says why something ended.
//
// Threads: any. Errors: none; a log that is not there is empty.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace launcher {

// The last lines of the file's last 16 KiB, joined by " | "; those that begin with `except` left
// out.
std::string last_lines(const std::filesystem::path& path, size_t count,
                       const std::string& except = "");

}  // namespace launcher
