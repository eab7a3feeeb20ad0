#include "vmm/json_stream.h"

#include <algorithm>

namespace launcher {

JsonStream::JsonStream(std::string separator, size_t limit)
    : separator_(std::move(separator)), limit_(limit) {}

std::vector<nlohmann::json> JsonStream::feed(std::string_view bytes) {
  std::vector<nlohmann::json> values;
  buffer_ += bytes;
  size_t start = 0;
  for (;;) {
    const size_t end = buffer_.find(separator_, std::max(start, searched_));
    if (end == std::string::npos) break;
    take(std::string_view(buffer_).substr(start, end - start), values);
    start = end + separator_.size();
  }
  keep_the_rest(start);
  return values;
}

void JsonStream::take(std::string_view text, std::vector<nlohmann::json>& values) {
  if (std::exchange(skipping_, false)) return;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
  nlohmann::json value;
  if (text.size() <= limit_) value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_object()) {
    values.push_back(std::move(value));
  } else {
    ++unreadable_;
  }
}

void JsonStream::keep_the_rest(size_t from) {
  buffer_.erase(0, from);
  if (buffer_.size() > limit_ + separator_.size()) {
    if (!skipping_) ++unreadable_;
    skipping_ = true;
    buffer_.erase(0, buffer_.size() - separator_.size());
  }
  const size_t overlap = separator_.size() - 1;  // a separator may have begun at the end
  searched_ = buffer_.size() > overlap ? buffer_.size() - overlap : 0;
}

}  // namespace launcher
