// What the launcher tells the operator while it works, step by step: one line each, with the time
// since its start and the VM or switch it is about.
//
// Threads: the event loop's.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <ostream>
#include <string>

namespace launcher {

class Progress {
 public:
  using Listener = std::function<void(const std::string& line)>;

  explicit Progress(std::ostream& output) : output_(output) {}

  void say(const std::string& who, const std::string& what);
  void warn(const std::string& who, const std::string& what) { say(who, "warning: " + what); }

  // Until remove() with the number that was returned.
  int add(Listener listener);
  void remove(int number) { listeners_.erase(number); }

 private:
  std::ostream& output_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::map<int, Listener> listeners_;
  int last_ = 0;
};

}  // namespace launcher
