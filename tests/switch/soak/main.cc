// switch_soak: see soak.h. Exit status: 0 all well, 1 not, 2 bad options.
#include <iostream>

#include "lib/program.h"
#include "soak/soak.h"

namespace {

bool soak(const testbed::SoakOptions& options) {
  testbed::Soak soak(options, std::cerr);
  bool good = false;
  try {
    good = soak.run();
  } catch (const std::exception& error) {
    std::cout << "STUCK or broken: " << error.what() << "\n";
  }
  soak.report(std::cout);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  testbed::SoakOptions options;
  testbed::Program program("switch_soak",
                           "sends frames of mixed sizes and descriptor shapes through a switchd of "
                           "its\nown and verifies each.");
  program.option("frames", options.frames, "how many");
  program.option("seed", options.seed, "of sizes and shapes");
  return program.run(argc, argv, [&] { return soak(options); });
}
