// Addresses that moved, on their way from a worker to the main thread, which tells the operator.
//
// Bounded: when the main thread is behind, moves are still counted but no longer named.
//
// Threads: one writer (the worker), one reader (main).
#pragma once

#include <cstdint>

#include "bridge/mac_address.h"
#include "bridge/mailbox.h"

namespace bridge {

struct Move {
  MacAddress address;
  uint16_t to = 0;
};

using MoveLog = Mailbox<Move>;

}  // namespace bridge
