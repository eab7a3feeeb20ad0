#include "topology/toml_table.h"

#include <charconv>
#include <utility>

namespace launcher {
namespace {

// The number that `text` starts with, and the rest.
std::optional<std::pair<uint64_t, std::string>> number_and_unit(const std::string& text) {
  uint64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc()) return std::nullopt;
  return std::pair(number, std::string(end, last));
}

constexpr uint64_t kMostBytes = 1ull << 50;
constexpr uint64_t kMostSeconds = 1'000'000;

}  // namespace

TomlTable::TomlTable(const toml::table& table, std::filesystem::path file, std::string name)
    : table_(&table), file_(std::move(file)), name_(std::move(name)) {}

const toml::node* TomlTable::find(const std::string& key) {
  known_.insert(key);
  return table_->get(key);
}

bool TomlTable::has(const std::string& key) {
  return find(key) != nullptr;
}

std::string TomlTable::origin() const {
  return file_.string() + ":" + std::to_string(table_->source().begin.line);
}

std::string TomlTable::origin(const std::string& key) const {
  const auto found = table_->find(key);
  if (found == table_->end())
    return origin() + ": " + (name_.empty() ? "" : "[" + name_ + "]: ") + "key '" + key + "'";
  return file_.string() + ":" + std::to_string(found->first.source().begin.line) + ": key '" + key +
         "'";
}

void TomlTable::fail(const std::string& key, const std::string& problem) const {
  throw TopologyError(origin(key), problem);
}

std::optional<std::string> TomlTable::text(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) fail(key, "expected text in quotes");
  if (text->get().empty()) fail(key, "must not be empty");
  if (text->get().find('\0') != std::string::npos) fail(key, "must not hold a NUL character");
  return text->get();
}

std::optional<bool> TomlTable::boolean(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_boolean() == nullptr) fail(key, "expected true or false");
  return node->as_boolean()->get();
}

std::optional<int64_t> TomlTable::integer(const std::string& key, int64_t least, int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_integer() == nullptr) fail(key, "expected a whole number");
  const int64_t number = node->as_integer()->get();
  if (number < least || number > most) {
    fail(key, std::to_string(number) + " is out of range; from " + std::to_string(least) + " to " +
                  std::to_string(most));
  }
  return number;
}

std::filesystem::path TomlTable::resolve(const std::string& path) const {
  return (file_.parent_path() / path).lexically_normal();
}

std::optional<std::filesystem::path> TomlTable::path(const std::string& key) {
  const auto value = text(key);
  if (!value) return std::nullopt;
  return resolve(*value);
}

std::optional<uint64_t> TomlTable::size(const std::string& key) {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto parts = number_and_unit(*value);
  const uint64_t unit = !parts                 ? 0
                        : parts->second == "K" ? 1ull << 10
                        : parts->second == "M" ? 1ull << 20
                        : parts->second == "G" ? 1ull << 30
                                               : 0;
  if (unit == 0 || parts->first == 0 || parts->first > kMostBytes / unit) {
    fail(key, "'" + *value + "' is no size; write \"256M\" or \"2G\"");
  }
  return parts->first * unit;
}

std::optional<std::chrono::milliseconds> TomlTable::duration(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_integer() != nullptr) {
    return std::chrono::seconds(*integer(key, 0, static_cast<int64_t>(kMostSeconds)));
  }
  const std::string value = *text(key);
  const auto parts = number_and_unit(value);
  const uint64_t unit = !parts                  ? 0
                        : parts->second == "ms" ? 1
                        : parts->second == "s"  ? 1000
                        : parts->second == "m"  ? 60'000
                                                : 0;
  if (unit == 0 || parts->first > kMostSeconds) {
    fail(key, "'" + value + "' is no time; write \"20s\", \"500ms\" or \"2m\"");
  }
  return std::chrono::milliseconds(parts->first * unit);
}

std::optional<std::vector<std::string>> TomlTable::texts(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_string() != nullptr) return std::vector<std::string>{*text(key)};
  const toml::array* array = node->as_array();
  if (array == nullptr) fail(key, "expected a list of texts in quotes");
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const auto* one = element.as_string();
    if (one == nullptr || one->get().empty() || one->get().find('\0') != std::string::npos) {
      fail(key, "expected a list of texts in quotes");
    }
    values.push_back(one->get());
  }
  return values;
}

std::optional<size_t> TomlTable::choice(const std::string& key,
                                        const std::vector<std::string>& choices) {
  const auto value = text(key);
  if (!value) return std::nullopt;
  std::string names;
  for (size_t index = 0; index < choices.size(); ++index) {
    if (choices[index] == *value) return index;
    names += (index == 0 ? "" : ", ") + choices[index];
  }
  fail(key, "'" + *value + "' is none of: " + names);
}

std::optional<TomlTable> TomlTable::table(const std::string& key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const std::string name = name_.empty() ? key : name_ + "." + key;
  if (node->as_table() == nullptr) fail(key, "expected a table; write [" + name + "]");
  return TomlTable(*node->as_table(), file_, name);
}

std::vector<TomlTable> TomlTable::tables(const std::string& key, bool single) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  const std::string name = name_.empty() ? key : name_ + "." + key;
  if (single && node->as_table() != nullptr) return {TomlTable(*node->as_table(), file_, name)};
  const std::string wanted = "expected tables; write [[" + name + "]] with two brackets";
  if (node->as_array() == nullptr) fail(key, wanted);
  std::vector<TomlTable> tables;
  for (const toml::node& element : *node->as_array()) {
    if (element.as_table() == nullptr) fail(key, wanted);
    tables.emplace_back(*element.as_table(), file_, name);
  }
  return tables;
}

void TomlTable::add_origins(std::map<std::string, std::string>& origins) const {
  for (const auto& [key, node] : *table_) {
    origins.insert_or_assign(std::string(key.str()), origin(std::string(key.str())));
  }
}

void TomlTable::finish() const {
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (known_.contains(name)) continue;
    std::string names;
    for (const std::string& known : known_) names += (names.empty() ? "" : ", ") + known;
    fail(name,
         "unknown; " + (name_.empty() ? "a topology" : "[" + name_ + "]") + " knows " + names);
  }
}

}  // namespace launcher
