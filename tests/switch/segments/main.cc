// switch_segments: see segments.h. Exit status: 0 within the bound, 1 not, 2 bad options.
#include <algorithm>
#include <iomanip>
#include <iostream>

#include "lib/program.h"
#include "segments/segments.h"

namespace {

constexpr double kMostRatio = 1.25;

template <typename Get>
double median(const std::vector<testbed::SegmentRound>& rounds, Get get) {
  std::vector<double> values;
  for (const auto& round : rounds) values.push_back(get(round));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool measure(const testbed::SegmentOptions& options, bool timed) {
  if (options.rounds == 0) throw testbed::po::error("--rounds: 1 at least");
  const auto rounds = testbed::measure_segments(options);
  const double ratio = median(rounds, [](const auto& round) { return round.ratio(); });
  std::cout << std::fixed << std::setprecision(0) << "cycles a segment: switch "
            << median(rounds, [](const auto& round) { return round.switch_cycles; })
            << ", bare copy " << median(rounds, [](const auto& round) { return round.bare_cycles; })
            << std::setprecision(3) << "; ratio " << ratio << ", median of " << rounds.size()
            << " pairs\n"
            << "delivered: "
            << median(rounds, [](const auto& round) { return round.bytes_a_second; }) / 1e9
            << " GB/s, of the segments taken "
            << 100 * median(rounds, [](const auto& round) { return round.lost; })
            << " % found no buffer\n";
  return !timed || ratio <= kMostRatio;
}

}  // namespace

int main(int argc, char** argv) {
  testbed::SegmentOptions options;
  bool untimed = false;
  testbed::Program program("switch_segments",
                           "measures TCP segments of 64 KiB from guest to guest through a switchd "
                           "of its own,\nbeside a bare loop that copies between the same buffers.");
  program.option("seconds", options.seconds, "of each round");
  program.option("rounds", options.rounds, "pairs of rounds");
  program.option("receive-buffer", options.receive_buffer,
                 "bytes of each of the receiver's mergeable buffers");
  program.untimed_option(untimed, "the ratio is");
  return program.run(argc, argv, [&] { return measure(options, !untimed); });
}
