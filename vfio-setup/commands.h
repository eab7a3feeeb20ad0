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

// At boot; the words are records (card.h).
// Each card is to be vfio-pci's, wherever it is now. EXIT_FAILURE when one is nowhere for certain.
int claim_command(const CommandContext& context);
// Whether at that address, or in that IOMMU group, the card is.
int is_at_command(const CommandContext& context);

}  // namespace vfio_setup
