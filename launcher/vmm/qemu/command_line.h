// QEMU's command line for a VM: a pure function.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vmm/qemu/accelerator.h"
#include "vmm/vmm.h"

namespace launcher::qemu {

// The VM stands still after its start, until QMP's "cont" on the socket `qmp`.
std::vector<std::string> command_line(const VmSpec& spec, Accelerator accelerator,
                                      const std::filesystem::path& qmp);

}  // namespace launcher::qemu
