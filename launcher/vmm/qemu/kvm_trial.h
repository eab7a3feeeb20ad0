// Whether QEMU can set a machine up with KVM here, as the user that will run it.
//
// Threads: the main thread (the trial dies with the thread that starts it), which it blocks until
// QEMU has ended, some tenths of a second, but no longer than `limit`: the event loop stands still
// for as long.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "vmm/credentials.h"

namespace launcher::qemu {

inline constexpr std::chrono::seconds kTrialWithin{20};

// False, too, when the program cannot be run, or has to be killed after `limit`. Without `user` it
// runs as whoever the launcher is.
bool kvm_machine_stands(const std::filesystem::path& program,
                        const std::optional<Credentials>& user,
                        std::chrono::milliseconds limit = kTrialWithin);

}  // namespace launcher::qemu
