#include "runtime/log_tail.h"

#include <deque>
#include <fstream>

namespace launcher {

std::string last_lines(const std::filesystem::path& path, size_t count, const std::string& except) {
  constexpr std::streamoff kWindow = 16 * 1024;
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) return "";
  const std::streamoff size = stream.tellg();
  stream.seekg(size > kWindow ? size - kWindow : 0);
  std::deque<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (!except.empty() && line.starts_with(except))) continue;
    lines.push_back(line);
    if (lines.size() > count) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : " | ") + line;
  return text;
}

}  // namespace launcher
