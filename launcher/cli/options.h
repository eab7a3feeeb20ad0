// The command line of launcher (Boost.Program_options).
//
// Errors: UsageError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace launcher {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string command;
  std::vector<std::string> words;  // that follow the command
  std::filesystem::path state_dir;
  std::string topology;  // which of the running ones
  std::filesystem::path switchd;
  std::filesystem::path vfio_setup;
  std::string vmm;
  std::optional<int> ready_fd;
  bool with_dependents = false;
  bool json = false;
  bool follow = false;
  bool console = false;  // logs: of the console
  std::optional<bool> isolated;
  std::string segment;
  std::string mac;
  int mtu = 0;
  int queues = 0;
  bool help = false;
  bool version = false;
};

Options parse_options(int argc, const char* const argv[]);
std::string help_text();

}  // namespace launcher
