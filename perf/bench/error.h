// What goes wrong before or around a measurement: a message with the socket, option or program
// concerned and the remedy.
#pragma once

#include <stdexcept>

namespace bench {

class BenchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace bench
