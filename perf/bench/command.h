// Running another program and taking what it prints.
#pragma once

#include <string>
#include <vector>

namespace bench {

// Standard output of `arguments` (no shell). Errors: BenchError with the program's name when it
// cannot be started or fails.
std::string output_of(const std::vector<std::string>& arguments);

}  // namespace bench
