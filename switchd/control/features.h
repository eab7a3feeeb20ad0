// Names of the virtio-net feature bits (virtio 1.2, 5.1.3 and 6), for people.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace control {

std::vector<std::string> feature_names(uint64_t features);  // unknown bits as BIT_n

}  // namespace control
