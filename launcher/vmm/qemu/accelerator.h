// How QEMU runs a guest's code here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "vmm/credentials.h"

namespace launcher::qemu {

enum class Accelerator { kvm, tcg };

// KVM when QEMU itself can set a machine up with it, else TCG. /dev/kvm alone says little: where
// virtualisation is nested and incomplete it opens, and QEMU aborts. Tried as the user
// that the VM runs as, who may have no access to it; once a program and user, which blocks for some
// tenths of a second (kvm_trial.h). LAUNCHER_QEMU_ACCELERATOR (kvm or tcg) decides without a try.
// Throws VmmError for any other value of that.
Accelerator choose_accelerator(const std::filesystem::path& program,
                               const std::optional<Credentials>& user);

const char* name_of(Accelerator accelerator);

}  // namespace launcher::qemu
