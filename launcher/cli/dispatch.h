// From the command line to a command and its exit status; whatever is thrown becomes a message.
#pragma once

#include "cli/owner.h"

namespace launcher {

int dispatch(int argc, const char* const argv[], const FindDriver& find_driver);

}  // namespace launcher
