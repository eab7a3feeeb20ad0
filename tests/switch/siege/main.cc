// door_siege: see siege.h. Exit status: 0 within the bounds, 1 not, 2 bad options.
#include <boost/program_options.hpp>
#include <iomanip>
#include <iostream>

#include "siege/siege.h"

namespace {

namespace po = boost::program_options;

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

int siege(int argc, char** argv) {
  testbed::SiegeOptions options;
  po::options_description description(
      "door_siege times how long a guest takes to attach while eight VMMs besiege the doors of\n"
      "eight other ports. Options");
  description.add_options()("help,h", "this text")(
      "attaches", po::value(&options.attaches)->default_value(options.attaches),
      "how many in quiet, and how many under siege; 2 at least")(
      "untimed", po::bool_switch(), "times are printed and not judged");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, description), values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << description;
    return 0;
  }
  if (options.attaches < 2) throw po::error("--attaches: 2 at least");
  return judge(testbed::besiege(options, std::cerr), !values["untimed"].as<bool>()) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return siege(argc, argv);
  } catch (const po::error& error) {
    std::cerr << "door_siege: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "door_siege: " << error.what() << "\n";
    return 1;
  }
}
