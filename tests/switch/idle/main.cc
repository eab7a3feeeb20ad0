// switch_idle: see idle.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <iomanip>
#include <iostream>

#include "idle/idle.h"
#include "lib/program.h"

namespace {

constexpr double kMostShare = 0.01;
constexpr double kMostLater = 50;  // microseconds

struct Options {
  double seconds = 20;
  unsigned rounds = 20;
  bool untimed = false;
};

bool share(unsigned ports, const Options& options) {
  const double share = testbed::idle_share(ports, options.seconds);
  std::cout << std::setprecision(3) << ports
            << " attached idle ports, poll=adaptive: " << share * 100 << " % of a core over "
            << options.seconds << " s";
  return testbed::say(options.untimed || share < kMostShare, "below 1 %");
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
  return testbed::say(options.untimed || later < kMostLater, "below 50 us") && slept;
}

bool measure(const Options& options) {
  if (options.rounds == 0) throw testbed::po::error("--rounds: 1 at least");
  std::cout << std::fixed;
  bool good = wake_up(options);
  for (const unsigned ports : {2u, 64u}) good &= share(ports, options);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  testbed::Program program("switch_idle",
                           "measures a switchd of its own that has nothing to do: the CPU it "
                           "takes, and how\nlong it takes to wake up.");
  program.option("seconds", options.seconds, "that the idle switch is watched");
  program.option("rounds", options.rounds, "of 50 frames after pauses, each kind of polling");
  program.untimed_option(options.untimed);
  return program.run(argc, argv, [&] { return measure(options); });
}
