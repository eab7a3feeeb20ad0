// The host's account that a topology names for a VM, by name or number.
//
// Threads: as getpwnam(3), one. Errors: nullptr when there is none; the result is good until the
// next call.
#pragma once

#include <pwd.h>

#include <string>

namespace launcher {

const passwd* find_account(const std::string& user);

}  // namespace launcher
