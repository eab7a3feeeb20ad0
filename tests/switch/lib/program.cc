#include "lib/program.h"

#include <iostream>

namespace testbed {

Program::Program(std::string name, const std::string& about)
    : name_(std::move(name)), description_(name_ + " " + about + "\nOptions") {
  description_.add_options()("help,h", "this text");
}

void Program::untimed_option(bool& untimed, const std::string& subject) {
  option("untimed", untimed, (subject + " printed and not judged").c_str());
}

int Program::run(int argc, char** argv, const std::function<bool()>& measure) {
  try {
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, description_), values);
    po::notify(values);
    if (values.count("help") != 0) {
      std::cout << description_;
      return 0;
    }
    return measure() ? 0 : 1;
  } catch (const po::error& error) {
    std::cerr << name_ << ": " << error.what() << "; see --help\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name_ << ": " << error.what() << "\n";
    return 1;
  }
}

bool say(bool good, const std::string& bound) {
  std::cout << (good ? "  (" : "  BROKEN (") << "bound " << bound << ")\n";
  return good;
}

}  // namespace testbed
