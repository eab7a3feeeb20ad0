// Everything the front-end throws: a message that names the socket, the vhost-user request or the
// ring concerned.
#pragma once

#include <stdexcept>

namespace frontend {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The back-end closed the connection: what a hostile-input test usually waits for.
class Closed : public Error {
 public:
  using Error::Error;
};

// Nothing came within the time allowed.
class TimedOut : public Error {
 public:
  using Error::Error;
};

}  // namespace frontend
