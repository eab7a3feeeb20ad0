// Stands in the place of the system's tools: remembers what they were told, says what it was told
// to say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "process.h"

namespace vfio_setup {

class FakeTools {
 public:
  FakeTools()
      : before_(exchange_tool_runner(
            [this](const auto& tool, const auto& arguments) { return run(tool, arguments); })) {}
  ~FakeTools() { exchange_tool_runner(before_); }
  FakeTools(const FakeTools&) = delete;
  FakeTools& operator=(const FakeTools&) = delete;

  std::map<std::string, std::string> answers;  // by "ip -4 -json ..."
  std::vector<std::string> commands;           // all of them, in their order

 private:
  ToolResult run(const std::string& tool, const std::vector<std::string>& arguments) {
    std::string command = tool;
    for (const std::string& argument : arguments) command += " " + argument;
    commands.push_back(command);
    const auto answer = answers.find(command);
    return {0, answer == answers.end() ? "" : answer->second, ""};
  }

  ToolRunner before_;
};

}  // namespace vfio_setup
