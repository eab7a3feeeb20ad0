#include "runtime/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "process/error.h"

namespace launcher {
namespace {

[[noreturn]] void fail(const char* step) {
  throw LaunchError(std::string("cannot make a terminal for a console: ") + step + ": " +
                    std::strerror(errno));
}

}  // namespace

Terminal Terminal::make() {
  Terminal terminal;
  terminal.master = FileDescriptor(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!terminal.master) fail("posix_openpt");
  const int master = terminal.master.get();
  char name[64];
  if (grantpt(master) != 0 || unlockpt(master) != 0) fail("unlockpt");
  if (ptsname_r(master, name, sizeof name) != 0) fail("ptsname_r");
  terminal.slave = FileDescriptor(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave) fail(name);
  termios modes{};
  if (tcgetattr(terminal.slave.get(), &modes) != 0) fail("tcgetattr");
  cfmakeraw(&modes);
  if (tcsetattr(terminal.slave.get(), TCSANOW, &modes) != 0) fail("tcsetattr");
  return terminal;
}

}  // namespace launcher
