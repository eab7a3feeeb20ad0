// The configuration file: TOML (toml.io, 1.0), a [switch] table and one [[port]] table a port.
//
// Threads: main thread. Errors: ConfigError with file, line and key.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "control/configuration.h"

namespace control {

// Puts what the file says into `configuration`. Does not complete() it: options may follow.
void read_config_file(const std::filesystem::path& path, Configuration& configuration);

// The same from text; `name` stands for the file in messages.
void read_config(std::string_view text, const std::string& name, Configuration& configuration);

}  // namespace control
