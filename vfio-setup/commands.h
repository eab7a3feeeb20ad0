// The commands. Each returns the exit status, and throws when it cannot do what was asked.
#pragma once

#include <ostream>

#include "options.h"
#include "paths.h"

namespace vfio_setup {

struct CommandContext {
  Paths paths;
  Options options;
  std::ostream& out;
};

int list_command(const CommandContext& context);
int check_command(const CommandContext& context);
int bind_command(const CommandContext& context);
int confirm_command(const CommandContext& context);
int restore_command(const CommandContext& context);

}  // namespace vfio_setup
