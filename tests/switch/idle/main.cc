// switch_idle: see idle.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <boost/program_options.hpp>
#include <iomanip>
#include <iostream>

#include "idle/idle.h"

namespace {

namespace po = boost::program_options;

constexpr double kMostShare = 0.01;
constexpr double kMostLater = 50;  // microseconds

struct Options {
  double seconds = 20;
  unsigned rounds = 20;
  bool untimed = false;
};

bool say(bool good, const char* bound) {
  std::cout << (good ? "  (" : "  BROKEN (") << "bound " << bound << ")\n";
  return good;
}

bool share(unsigned ports, const Options& options) {
  const double share = testbed::idle_share(ports, options.seconds);
  std::cout << std::setprecision(3) << ports
            << " attached idle ports, poll=adaptive: " << share * 100 << " % of a core over "
            << options.seconds << " s";
  return say(options.untimed || share < kMostShare, "below 1 %");
}

bool wake_up(const Options& options) {
  const testbed::WakeUps result = testbed::wake_ups(options.rounds);
  const double later = result.adaptive() - result.busy();
  std::cout << std::setprecision(1) << "a frame after a pause: median " << result.adaptive()
            << " us, " << result.busy() << " us when polled busily, over "
            << result.adaptive_us.size() << " frames each (worst " << result.adaptive_us.back()
            << " and " << result.busy_us.back() << ", " << result.sleeps << " sleeps); later by "
            << later << " us";
  const bool slept = result.sleeps >= result.adaptive_us.size() / 2;
  if (!slept) std::cout << "  WRONG: it hardly slept";
  return say(options.untimed || later < kMostLater, "below 50 us") && slept;
}

int measure(int argc, char** argv) {
  Options options;
  po::options_description description(
      "switch_idle measures a switchd of its own that has nothing to do: the CPU it takes, and "
      "how\n"
      "long it takes to wake up. Options");
  description.add_options()("help,h", "this text")(
      "seconds", po::value(&options.seconds)->default_value(options.seconds),
      "that the idle switch is watched")("rounds",
                                         po::value(&options.rounds)->default_value(options.rounds),
                                         "of 50 frames after pauses, each kind of polling")(
      "untimed", po::bool_switch(&options.untimed), "times are printed and not judged");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, description), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << description;
    return 0;
  }
  if (options.rounds == 0) throw po::error("--rounds: 1 at least");
  std::cout << std::fixed;
  bool good = wake_up(options);
  for (const unsigned ports : {2u, 64u}) good &= share(ports, options);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return measure(argc, argv);
  } catch (const po::error& error) {
    std::cerr << "switch_idle: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "switch_idle: " << error.what() << "\n";
    return 1;
  }
}
