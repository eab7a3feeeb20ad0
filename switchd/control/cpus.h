// The CPUs this process may run on.
//
// Threads: any. Errors: std::system_error.
#pragma once

#include <string>
#include <vector>

namespace control {

std::vector<int> allowed_cpus();  // ascending; sched_getaffinity(2)

// "0-3,6" for people.
std::string describe_cpus(const std::vector<int>& cpus);

}  // namespace control
