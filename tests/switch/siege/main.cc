// door_siege: see siege.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <iomanip>
#include <iostream>

#include "lib/program.h"
#include "siege/siege.h"

namespace {

constexpr double kMostRatio = 2;
constexpr double kMostMilliseconds = 200;

void print(const char* name, const testbed::Waits& waits) {
  std::cout << std::left << std::setw(10) << name << "median " << waits.median() << " ms, worst "
            << waits.worst() << " ms over " << waits.milliseconds.size() << " attaches\n";
}

// Whether every bound holds.
bool judge(const testbed::SiegeResult& result, bool timed) {
  std::cout << std::fixed << std::setprecision(2);
  print("quiet", result.quiet);
  print("besieged", result.besieged);
  for (const std::string& attack : result.attacks) std::cout << "  " << attack << "\n";
  std::cout << "ratio of the medians " << result.ratio() << " (bound " << kMostRatio << "), worst "
            << result.besieged.worst() << " ms (bound " << kMostMilliseconds
            << (timed ? ")\n" : "), not judged\n");
  std::cout << "frames between two others: " << result.frames << " delivered, "
            << (result.problems.empty() ? "all accounted for" : "NOT all accounted for") << "\n";
  for (const std::string& problem : result.problems) std::cout << "WRONG: " << problem << "\n";
  if (!result.attacked) std::cout << "WRONG: some attackers never came in\n";
  const bool in_time = result.ratio() < kMostRatio && result.besieged.worst() < kMostMilliseconds;
  if (timed && !in_time) std::cout << "WRONG: a bound is broken\n";
  return result.problems.empty() && result.attacked && (in_time || !timed);
}

bool siege(const testbed::SiegeOptions& options, bool timed) {
  if (options.attaches < 2) throw testbed::po::error("--attaches: 2 at least");
  return judge(testbed::besiege(options, std::cerr), timed);
}

}  // namespace

int main(int argc, char** argv) {
  testbed::SiegeOptions options;
  bool untimed = false;
  testbed::Program program("door_siege",
                           "times how long a guest takes to attach while eight VMMs besiege the "
                           "doors of\neight other ports.");
  program.option("attaches", options.attaches,
                 "how many in quiet, and how many under siege; 2 at least");
  program.untimed_option(untimed);
  return program.run(argc, argv, [&] { return siege(options, !untimed); });
}
