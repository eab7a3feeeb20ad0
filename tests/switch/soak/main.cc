// switch_soak: see soak.h. Exit status: 0 all well, 1 not, 2 bad options.
#include <boost/program_options.hpp>
#include <iostream>

#include "soak/soak.h"

namespace {

namespace po = boost::program_options;

int soak(const testbed::SoakOptions& options) {
  testbed::Soak soak(options, std::cerr);
  bool good = false;
  try {
    good = soak.run();
  } catch (const std::exception& error) {
    std::cout << "STUCK or broken: " << error.what() << "\n";
  }
  soak.report(std::cout);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    testbed::SoakOptions options;
    po::options_description description(
        "switch_soak sends frames of mixed sizes and descriptor shapes through a switchd of its\n"
        "own and verifies each. Options");
    description.add_options()("help,h", "this text")(
        "frames", po::value(&options.frames)->default_value(options.frames), "how many")(
        "seed", po::value(&options.seed)->default_value(options.seed), "of sizes and shapes");
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, description), values);
    po::notify(values);
    if (values.count("help") != 0) {
      std::cout << description;
      return 0;
    }
    return soak(options);
  } catch (const po::error& error) {
    std::cerr << "switch_soak: " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "switch_soak: " << error.what() << "\n";
    return 1;
  }
}
