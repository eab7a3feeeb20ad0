#include "ctl/table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace switchctl {

Table::Table(std::initializer_list<std::string> headings) {
  for (const std::string& heading : headings) {
    const bool right = heading.front() == '>';
    right_.push_back(right);
    headings_.push_back(right ? heading.substr(1) : heading);
  }
}

void Table::add(std::vector<std::string> row) {
  rows_.push_back(std::move(row));
}

size_t Table::width(size_t column) const {
  size_t widest = column < headings_.size() ? headings_[column].size() : 0;
  for (const auto& row : rows_) {
    if (column < row.size()) widest = std::max(widest, row[column].size());
  }
  return widest;
}

void Table::print(std::ostream& out) const {
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      const std::string padding(width(column) - row[column].size(), ' ');
      const bool right = column < right_.size() && right_[column];
      line += (column == 0 ? "" : "  ") + (right ? padding + row[column] : row[column] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  };
  if (!headings_.empty()) print_row(headings_);
  for (const auto& row : rows_) print_row(row);
}

std::string cell(const nlohmann::json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const nlohmann::json& element : value) list += (list.empty() ? "" : " ") + cell(element);
  return list.empty() ? "-" : list;
}

std::string short_number(double value) {
  constexpr std::array<const char*, 5> kUnits = {"", " k", " M", " G", " T"};
  constexpr double kStep = 1000;
  size_t unit = 0;
  // Rounds as printed: 999.95 would show as 1000.
  while (value >= kStep - 0.5 && unit + 1 < kUnits.size()) {
    value /= kStep;
    ++unit;
  }
  std::array<char, 32> text{};
  const int decimals = unit == 0 || value >= 100 ? 0 : 1;
  std::snprintf(text.data(), text.size(), "%.*f%s", decimals, value, kUnits[unit]);
  return text.data();
}

}  // namespace switchctl
