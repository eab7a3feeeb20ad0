// switch_footprint: see footprint.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <iomanip>
#include <iostream>

#include "footprint/footprint.h"
#include "lib/program.h"
#include "lib/sanitized.h"

namespace {

constexpr double kLeastRatio = 0.97;
constexpr uint64_t kMostKib = 64 * 1024;

struct Options {
  double seconds = 60;
  unsigned rounds = 21;
  bool untimed = false;
};

bool memory(unsigned ports, const Options& options) {
  const testbed::ProcessFacts facts = testbed::memory_under_traffic(ports, options.seconds);
  std::cout << std::setprecision(1) << "memory, " << ports << " ports, " << options.seconds
            << " s of traffic: " << static_cast<double>(facts.own_kib()) / 1024
            << " MiB of its own (RssAnon " << facts.anonymous_kib << " KiB + RssFile "
            << facts.file_kib << " KiB; guests' RssShmem " << facts.shared_kib << " KiB)";
  const bool small = testbed::say(testbed::kSanitized || facts.own_kib() < kMostKib, "64 MiB");
  const bool humble = facts.huge_kib == 0 && (facts.user == 0 || facts.capabilities == 0);
  std::cout << "  user " << facts.user << ", capabilities 0x" << std::hex << facts.capabilities
            << std::dec << ", hugepages " << facts.huge_kib << " KiB";
  return testbed::say(humble, "no capability, no hugepage") && small;
}

bool throughput(const Options& options) {
  if (!testbed::ordinary_user()) {
    std::cout << "throughput as nobody: not measured, only root can compare the two\n";
    return true;
  }
  const double seconds = options.untimed ? 0.1 : 0.5;
  const auto result = testbed::throughput_as_nobody(options.rounds, seconds);
  std::cout << std::setprecision(3) << "throughput as nobody over that as root: " << result.median()
            << ", median of " << result.ratios.size() << " pairs (" << result.ratios.front()
            << " to " << result.ratios.back() << "), " << result.median_rate / 1e6
            << " million frames a second";
  return testbed::say(options.untimed || result.median() >= kLeastRatio, "at least 0.97");
}

bool measure(const Options& options) {
  if (options.rounds == 0) throw testbed::po::error("--rounds: 1 at least");
  std::cout << std::fixed;
  bool good = throughput(options);
  for (const unsigned ports : {2u, 64u}) good &= memory(ports, options);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  testbed::Program program("switch_footprint",
                           "measures what a switchd of its own costs: memory and rights.");
  program.option("seconds", options.seconds, "of traffic before memory is looked at");
  program.option("rounds", options.rounds, "pairs of rounds as root and as nobody");
  program.untimed_option(options.untimed, "times and rates are");
  return program.run(argc, argv, [&] { return measure(options); });
}
