// Cuts a stream of JSON texts that a separator divides into values, however it arrives.
//
// What is read comes from a VMM that may be hostile: a text that is no JSON or longer than the
// limit is passed over and counted, and no more than the limit is kept. Threads: none.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace launcher {

class JsonStream {
 public:
  // `separator` must be one that no JSON text contains: a line break is escaped inside of strings,
  // and pretty-printed texts have no empty line. `limit`: bytes of the longest text.
  JsonStream(std::string separator, size_t limit);

  // The values that these bytes complete, in order.
  std::vector<nlohmann::json> feed(std::string_view bytes);

  size_t unreadable() const { return unreadable_; }

 private:
  void take(std::string_view text, std::vector<nlohmann::json>& values);
  void keep_the_rest(size_t from);

  std::string separator_;
  size_t limit_;
  std::string buffer_;
  size_t searched_ = 0;    // the separator does not start before this
  bool skipping_ = false;  // the rest of a text that was too long
  size_t unreadable_ = 0;
};

}  // namespace launcher
