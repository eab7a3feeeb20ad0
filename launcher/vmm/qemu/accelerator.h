// How QEMU runs a guest's code here.
#pragma once

#include <filesystem>
#include <string>

namespace launcher::qemu {

enum class Accelerator { kvm, tcg };

// KVM when QEMU itself can set a machine up with it, else TCG. /dev/kvm alone says little: where
// virtualisation is nested and incomplete it opens, and QEMU aborts. Tried once a program, which
// takes some tenths of a second. LAUNCHER_QEMU_ACCELERATOR (kvm or tcg) decides without a try.
// Throws VmmError for any other value of that.
Accelerator choose_accelerator(const std::filesystem::path& program);

const char* name_of(Accelerator accelerator);

}  // namespace launcher::qemu
