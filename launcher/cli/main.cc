// launcher: options -> command, and nothing else.
//
// Exit status: 0 done, 1 failed, 2 wrong usage or topology.
#include <iostream>

#include "cli/dispatch.h"
#include "vmm/vmm.h"

int main(int argc, char* argv[]) {
  return launcher::dispatch(argc, argv, [](launcher::VmmKind kind) -> const launcher::VmmDriver& {
    return launcher::find_vmm(kind);
  });
}
