// The commands that ask a running launcher.
//
// Errors: LaunchError, client::ConnectError, client::RpcError.
#pragma once

#include <filesystem>

#include "cli/options.h"

namespace launcher {

// status, start, stop, restart, add-net, add-device, remove-device, down.
int client_command(const Options& options);
int logs_command(const Options& options);
int console_command(const Options& options);

// The state directory that the options mean: the only running topology unless one is named.
std::filesystem::path running_directory(const Options& options);
// What `status` says of that VM: its console, its logs.
std::filesystem::path vm_path(const Options& options, const char* member);

}  // namespace launcher
