// Something in the topology file cannot be: "file:line: key 'x': what is wrong; the remedy".
#pragma once

#include <stdexcept>
#include <string>

namespace launcher {

class TopologyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  TopologyError(const std::string& origin, const std::string& problem)
      : std::runtime_error(origin + ": " + problem) {}
};

}  // namespace launcher
