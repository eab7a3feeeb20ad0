#include "control/value.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace control {
namespace {

std::optional<int64_t> parse_integer(std::string_view text, int base = 10) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

// More CPUs than any machine has; keeps "0-999999999" from filling memory.
constexpr int64_t kLongestRange = 4096;

// One part of "0,2-3".
void append_range(std::string_view part, Value& value, Value::List& list) {
  const size_t dash = part.find('-');
  const auto first = parse_integer(part.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_integer(part.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first || *last - *first > kLongestRange) {
    value.fail("'" + std::string(part) + "' is not a number or a range; write 0,2 or 0-3");
  }
  for (int64_t number = *first; number <= *last; ++number) list.emplace_back(number);
}

bool parse_boolean(std::string_view text, const Value& value) {
  if (text == "true" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "no" || text == "0") return false;
  value.fail("'" + std::string(text) + "' is neither true nor false");
}

Value::List list_from_text(ValueKind kind, std::string_view text, Value& value) {
  Value::List list;
  for (const std::string_view part : split(text)) {
    if (kind == ValueKind::integer_list) {
      append_range(part, value, list);
    } else {
      list.emplace_back(std::string(part));
    }
  }
  return list;
}

NameOrNumber element_from_json(const nlohmann::json& json, const Value& value) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() &&
        json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      value.fail("the number is too large");
    }
    return json.get<int64_t>();
  }
  value.fail("expected text or a whole number");
}

}  // namespace

void Value::fail(const std::string& problem) const {
  throw ConfigError(origin, problem);
}

bool Value::boolean() const {
  if (const bool* flag = std::get_if<bool>(&data)) return *flag;
  fail("expected true or false");
}

int64_t Value::integer(int64_t least, int64_t most) const {
  const int64_t* number = std::get_if<int64_t>(&data);
  if (number == nullptr) fail("expected a whole number");
  if (*number < least || *number > most) {
    fail(std::to_string(*number) + " is out of range; from " + std::to_string(least) + " to " +
         std::to_string(most));
  }
  return *number;
}

const std::string& Value::text() const {
  const std::string* text = std::get_if<std::string>(&data);
  if (text == nullptr) fail("expected text in quotes");
  if (text->empty()) fail("must not be empty");
  if (text->find('\0') != std::string::npos) fail("must not hold a NUL character");
  return *text;
}

mode_t Value::mode() const {
  constexpr int64_t kPermissionBits = 0777;
  const char* const wanted = "expected the permission bits of a socket in octal, as \"0660\"";
  std::optional<int64_t> bits;
  if (const std::string* text = std::get_if<std::string>(&data)) bits = parse_integer(*text, 8);
  if (const int64_t* number = std::get_if<int64_t>(&data); number != nullptr && octal) {
    bits = *number;
  }
  if (!bits || *bits < 0 || *bits > kPermissionBits) fail(wanted);
  return static_cast<mode_t>(*bits);
}

std::vector<std::string> Value::text_list() const {
  std::vector<std::string> texts;
  for (const NameOrNumber& element : name_list()) {
    const std::string* text = std::get_if<std::string>(&element);
    if (text == nullptr || text->empty()) fail("expected a list of texts in quotes");
    texts.push_back(*text);
  }
  return texts;
}

std::vector<int64_t> Value::integer_list() const {
  const List* list = std::get_if<List>(&data);
  if (list == nullptr) fail("expected a list of whole numbers, as [0, 2]");
  std::vector<int64_t> numbers;
  for (const NameOrNumber& element : *list) {
    const int64_t* number = std::get_if<int64_t>(&element);
    if (number == nullptr) fail("expected a list of whole numbers, as [0, 2]");
    numbers.push_back(*number);
  }
  return numbers;
}

Value::List Value::name_list() const {
  if (const List* list = std::get_if<List>(&data)) return *list;
  if (const std::string* text = std::get_if<std::string>(&data)) return {*text};
  if (const int64_t* number = std::get_if<int64_t>(&data)) return {*number};
  fail("expected a list of names or numbers");
}

Value value_from_text(ValueKind kind, std::string_view text, std::string origin) {
  Value value;
  value.origin = std::move(origin);
  switch (kind) {
    case ValueKind::boolean:
      value.data = parse_boolean(text, value);
      break;
    case ValueKind::integer: {
      const auto number = parse_integer(text);
      if (!number) value.fail("'" + std::string(text) + "' is not a whole number");
      value.data = *number;
      break;
    }
    case ValueKind::text:
    case ValueKind::mode:
      value.data = std::string(text);
      break;
    case ValueKind::text_list:
    case ValueKind::integer_list:
    case ValueKind::name_list:
      value.data = list_from_text(kind, text, value);
      break;
  }
  return value;
}

Value value_from_json(const nlohmann::json& json, std::string origin) {
  Value value;
  value.origin = std::move(origin);
  if (json.is_boolean()) {
    value.data = json.get<bool>();
  } else if (json.is_array()) {
    Value::List list;
    for (const auto& element : json) list.push_back(element_from_json(element, value));
    value.data = std::move(list);
  } else {
    std::visit([&](auto&& element) { value.data = std::forward<decltype(element)>(element); },
               element_from_json(json, value));
  }
  return value;
}

std::string absolute_path(const Value& value) {
  const std::string& path = value.text();
  if (path.front() != '/') value.fail("'" + path + "' must be an absolute path");
  return path;
}

}  // namespace control
