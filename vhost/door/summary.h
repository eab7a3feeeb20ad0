// A message in a few words, for the operator: "ring 0: 256", "2 regions, 256 MiB".
//
// Threads: pure functions.
#pragma once

#include <string>

#include "vhost/door/message.h"

namespace vhost::door {

// REQUIRES: the header has been checked. The payload need not make sense.
std::string summarize(const Message& message);

std::string hexadecimal(uint64_t value);

}  // namespace vhost::door
