// switch_restart: see restart.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <iomanip>
#include <iostream>

#include "lib/program.h"
#include "restart/restart.h"

namespace {

constexpr double kMost = 1000;  // milliseconds

struct Options {
  unsigned rounds = 10;
  unsigned pairs = 4;
  bool untimed = false;
};

void print(const char* what, const std::vector<double>& sorted) {
  std::cout << what << " " << sorted[sorted.size() / 2] << " (worst " << sorted.back() << ")";
}

// With a VMM that listens nothing is the VMM's own: all of the time is the switch's.
bool restart(const testbed::VmmManner& manner, const Options& options) {
  const auto times = testbed::measure_restarts(manner, options.pairs, options.rounds);
  std::cout << std::left << std::setw(26) << manner.name;
  print("ms until the sockets listen", times.starts);
  print(", the VMM's own wait", times.waits);
  print(", first frame", times.frames);
  print("; in all", times.outages);
  const double judged = manner.listens ? times.outages.back() : times.frames.back();
  return testbed::say(options.untimed || judged < kMost,
                      manner.listens ? "1000 ms in all" : "first frame in 1000 ms");
}

bool measure(const Options& options) {
  if (options.rounds == 0) throw testbed::po::error("--rounds: 1 at least");
  if (options.pairs == 0) throw testbed::po::error("--pairs: 1 at least");
  std::cout << std::fixed << std::setprecision(0);
  bool good = true;
  for (const testbed::VmmManner& manner : testbed::vmm_manners()) good &= restart(manner, options);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  testbed::Program program("switch_restart",
                           "kills a switchd of its own and starts it again, and measures when "
                           "guests have their\nnetwork back.");
  program.option("rounds", options.rounds, "kills, each kind of VMM");
  program.option("pairs", options.pairs, "of guests");
  program.untimed_option(options.untimed);
  return program.run(argc, argv, [&] { return measure(options); });
}
