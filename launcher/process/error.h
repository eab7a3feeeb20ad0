// A VM, a switch or a helper program did not do what it should: who, what and the remedy.
#pragma once

#include <stdexcept>

namespace launcher {

class LaunchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace launcher
