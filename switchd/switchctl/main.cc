#include <iostream>
#include <string>
#include <vector>

#include "ctl/cli.h"

int main(int argc, char* argv[]) {
  return switchctl::run(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
