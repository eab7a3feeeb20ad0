// Whole small files, read and written safely.
//
// Threads: any. Errors: std::system_error with the path in what().
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace control {

// Nothing when there is no such file.
std::optional<std::string> read_file(const std::filesystem::path& path);

// After a crash at any moment the file holds either all of its old or all of its new content:
// written beside, synced, renamed over, and the directory synced (rename(2), fsync(2)).
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

}  // namespace control
