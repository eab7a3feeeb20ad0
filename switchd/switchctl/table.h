// Text in aligned columns, for people.
//
// Threads: any.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

namespace switchctl {

class Table {
 public:
  // A heading that starts with '>' has its column aligned to the right, as numbers are. No
  // headings: no heading line, all columns to the left.
  Table(std::initializer_list<std::string> headings);

  void add(std::vector<std::string> row);
  bool empty() const { return rows_.empty(); }
  void print(std::ostream& out) const;

 private:
  size_t width(size_t column) const;

  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// A value as people read it: lists without brackets, nothing as "-".
std::string cell(const nlohmann::json& value);

// "12.3 M": three digits are what people compare.
std::string short_number(double value);

}  // namespace switchctl
