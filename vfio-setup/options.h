// The command line.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace vfio_setup {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string command;
  std::string address;             // or "auto"
  std::string token;               // of the hidden watch command
  std::vector<std::string> words;  // all after the command, of the hidden claim and is-at
  bool all = false;
  bool json = false;
  bool force = false;
  bool persist = false;
  bool dry_run = false;
  bool help = false;
  bool version = false;
  std::string user;
  std::string group;
  std::optional<std::chrono::seconds> confirm_within;
};

// Throws UsageError.
Options parse_options(int argc, const char* const* argv);

std::string usage();

// "120s", "2m", "90" (seconds). Throws UsageError.
std::chrono::seconds parse_duration(const std::string& text);

}  // namespace vfio_setup
