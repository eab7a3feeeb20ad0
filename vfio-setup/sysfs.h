// Reading and writing the small files of sysfs and procfs.
//
// Readers treat what is absent or unreadable as empty: attributes differ between kernels, and
// devices go away between two reads. Writers throw, naming the file and what the kernel said.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vfio_setup {

// Content without surrounding white space.
std::optional<std::string> read_attribute(const std::filesystem::path& path);

// Name of what a symbolic link points to ("driver" -> "e1000e"), empty when there is none.
std::string link_name(const std::filesystem::path& path);

// Names in a directory, sorted; empty when there is no such directory.
std::vector<std::string> directory_entries(const std::filesystem::path& path);

// One write() of the whole value, as sysfs wants it.
void write_attribute(const std::filesystem::path& path, const std::string& value);

// Replaces a file so that at any moment, a crash included, either the old or the new content is
// there whole. Makes missing directories.
void replace_file(const std::filesystem::path& path, const std::string& content, int mode);

std::vector<std::string> split_words(const std::string& text);

}  // namespace vfio_setup
