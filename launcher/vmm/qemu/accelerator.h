// How QEMU runs a guest's code here.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "process/credentials.h"
#include "process/task.h"

namespace launcher::qemu {

enum class Accelerator { kvm, tcg };

// KVM when QEMU itself can set a machine up with it, else TCG. /dev/kvm alone says little: where
// virtualisation is nested and incomplete it opens, and QEMU aborts. Tried as the user
// that the VM runs as, who may have no access to it; once a program and user, which takes some
// tenths of a second (kvm_trial.h). LAUNCHER_QEMU_ACCELERATOR (kvm or tcg) decides without a try.
// Throws VmmError for any other value of that.
Task<Accelerator> choose_accelerator(boost::asio::io_context& loop, std::filesystem::path program,
                                     std::optional<Credentials> user);

const char* name_of(Accelerator accelerator);

}  // namespace launcher::qemu
