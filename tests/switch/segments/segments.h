// What a TCP segment of 64 KiB costs a switchd of its own, from guest to guest, beside a loop that
// only copies the same bytes between the same buffers on the same CPU.
//
// Both guests take offloads; the sender's frames lie in one descriptor each, the receiver posts
// mergeable buffers as Linux does. Pairs of rounds, in turn, the switch stopped (SIGSTOP) while the
// bare loop runs. Threads: one, and one for the guests. Errors: TestbedError, frontend::Error.
#pragma once

#include <cstdint>
#include <vector>

namespace testbed {

struct SegmentOptions {
  double seconds = 0.5;  // of each round
  unsigned rounds = 9;
  uint16_t transmit_ring = 8;  // what is in flight fits into the receive ring
  uint16_t receive_ring = 256;
  uint32_t receive_buffer = 4096;
};

struct SegmentRound {
  double switch_cycles = 0;  // of busy turns, over the segments delivered
  double bare_cycles = 0;    // over the segments copied
  double bytes_a_second = 0;
  double lost = 0;  // share of the segments taken

  double ratio() const { return switch_cycles / bare_cycles; }
};

std::vector<SegmentRound> measure_segments(const SegmentOptions& options);

}  // namespace testbed
