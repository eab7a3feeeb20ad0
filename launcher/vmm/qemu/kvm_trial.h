// Whether QEMU can set a machine up with KVM here, as the user that will run it.
//
// Threads: the event loop's, which goes on meanwhile: some tenths of a second, but no longer than
// `limit`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <optional>

#include "process/credentials.h"
#include "process/task.h"

namespace launcher::qemu {

inline constexpr std::chrono::seconds kTrialWithin{20};

// False, too, when the program cannot be run, or has to be killed after `limit`. Without `user` it
// runs as whoever the launcher is.
Task<bool> kvm_machine_stands(boost::asio::io_context& loop, std::filesystem::path program,
                              std::optional<Credentials> user,
                              std::chrono::milliseconds limit = kTrialWithin);

}  // namespace launcher::qemu
