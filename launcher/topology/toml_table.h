// One table of the topology file, read key by key. Asking for a key is what makes it known:
// finish() calls every key that nobody asked for an error and lists those that exist.
//
// Threads: plain values; the toml::table must live longer. Errors: TopologyError with file, line
// and key.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "topology/error.h"

namespace launcher {

// A setting keeps its default when the file does not have it.
template <typename T, typename U>
void set(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

class TomlTable {
 public:
  // `name` as the reader of an error knows it: "[[vm]]"; empty: the file's top level.
  TomlTable(const toml::table& table, std::filesystem::path file, std::string name);

  bool has(const std::string& key);
  std::optional<std::string> text(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<int64_t> integer(const std::string& key, int64_t least, int64_t most);
  // Relative ones start at the file's directory.
  std::optional<std::filesystem::path> path(const std::string& key);
  // "256M", "2G"; bytes.
  std::optional<uint64_t> size(const std::string& key);
  // "20s", "500ms", "2m", or a number of seconds.
  std::optional<std::chrono::milliseconds> duration(const std::string& key);
  // A list, or one text for a list of one.
  std::optional<std::vector<std::string>> texts(const std::string& key);
  // One of `choices`; its index.
  std::optional<size_t> choice(const std::string& key, const std::vector<std::string>& choices);
  std::optional<TomlTable> table(const std::string& key);
  // [[key]]; with one table for a list of one if `single` allows it.
  std::vector<TomlTable> tables(const std::string& key, bool single = false);

  void finish() const;
  // Where each key of this table is, as errors name it; what is in `origins` already is replaced.
  void add_origins(std::map<std::string, std::string>& origins) const;

  std::string origin() const;  // "file:line", of the table
  std::string origin(const std::string& key) const;
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;
  std::filesystem::path resolve(const std::string& path) const;

 private:
  const toml::node* find(const std::string& key);

  const toml::table* table_;
  std::filesystem::path file_;
  std::string name_;
  std::set<std::string> known_;
};

}  // namespace launcher
