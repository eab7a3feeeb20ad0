// switch_segments: see segments.h. Exit status: 0 within the bound, 1 not, 2 bad options.
#include <algorithm>
#include <boost/program_options.hpp>
#include <iomanip>
#include <iostream>

#include "segments/segments.h"

namespace {

namespace po = boost::program_options;

constexpr double kMostRatio = 1.25;

template <typename Get>
double median(const std::vector<testbed::SegmentRound>& rounds, Get get) {
  std::vector<double> values;
  for (const auto& round : rounds) values.push_back(get(round));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int measure(int argc, char** argv) {
  testbed::SegmentOptions options;
  po::options_description description(
      "switch_segments measures TCP segments of 64 KiB from guest to guest through a switchd of "
      "its own,\nbeside a bare loop that copies between the same buffers.\nOptions");
  description.add_options()("help,h", "this text")(
      "seconds", po::value(&options.seconds)->default_value(options.seconds), "of each round")(
      "rounds", po::value(&options.rounds)->default_value(options.rounds), "pairs of rounds")(
      "receive-buffer", po::value(&options.receive_buffer)->default_value(options.receive_buffer),
      "bytes of each of the receiver's mergeable buffers")("untimed", po::bool_switch(),
                                                           "the ratio is printed and not judged");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, description), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << description;
    return 0;
  }
  if (options.rounds == 0) throw po::error("--rounds: 1 at least");
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
  return values["untimed"].as<bool>() || ratio <= kMostRatio ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return measure(argc, argv);
  } catch (const po::error& error) {
    std::cerr << "switch_segments: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "switch_segments: " << error.what() << "\n";
    return 1;
  }
}
