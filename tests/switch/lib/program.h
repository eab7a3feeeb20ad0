// What stands around the measurement of each program here: its options, --help, its exit status.
//
//   testbed::Program program("switch_idle", "measures ...");
//   program.option("rounds", rounds, "of 50 frames");
//   return program.run(argc, argv, [&] { return measure(rounds); });
//
// Exit status: 0 all within the bounds, 1 not or failed, 2 bad options. Threads: one.
#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <string>

namespace testbed {

namespace po = boost::program_options;

class Program {
 public:
  // `about`: what it does, as a sentence without its subject.
  Program(std::string name, const std::string& about);

  // --NAME VALUE, by default what `value` is; a flag when that is a bool. `value` outlives run().
  template <typename Type>
  void option(const char* name, Type& value, const char* help) {
    description_.add_options()(name, po::value(&value)->default_value(value), help);
  }
  void option(const char* name, bool& value, const char* help) {
    description_.add_options()(name, po::bool_switch(&value), help);
  }
  // --untimed: what `subject` names is printed and not judged.
  void untimed_option(bool& untimed, const std::string& subject = "times are");

  // `measure`: whether every bound holds. It throws po::error for options that make no sense.
  int run(int argc, char** argv, const std::function<bool()>& measure);

 private:
  std::string name_;
  po::options_description description_;
};

// A line's end: whether what it says is within its bound. Returns `good`.
bool say(bool good, const std::string& bound);

}  // namespace testbed
