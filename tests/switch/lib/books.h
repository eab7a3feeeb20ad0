// The switch's counters held against what the guests counted themselves.
//
//   ingress: frames = forwarded + flooded + consumed + every ingress drop
//   egress:  attempted = frames + every egress drop
//
// and for each port: frames and bytes taken in are those that its guest sent, frames and bytes
// delivered are those that its guest received. Errors: those of the control connection.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/crowd.h"
#include "lib/switch_process.h"

namespace testbed {

class Books {
 public:
  explicit Books(nlohmann::json stats) : stats_(std::move(stats)) {}

  uint64_t ingress(const std::string& port, const std::string& counter) const {
    return of(port).at("ingress").at(counter).get<uint64_t>();
  }
  uint64_t egress(const std::string& port, const std::string& counter) const {
    return of(port).at("egress").at(counter).get<uint64_t>();
  }
  uint64_t learning(const std::string& port, const std::string& counter) const {
    return of(port).at("learning").at(counter).get<uint64_t>();
  }
  uint64_t dropped(const std::string& port, const std::string& direction) const;
  // What does not add up; empty: everything does.
  std::vector<std::string> discrepancies(Crowd& crowd) const;

 private:
  const nlohmann::json& of(const std::string& port) const;
  std::vector<std::string> unbalanced(const std::string& port) const;

  nlohmann::json stats_;
};

Books read_books(SwitchProcess& process);
// A frame is delivered a moment before it is counted: waits until all adds up. What then still
// does not is a problem of the crowd.
Books balanced_books(SwitchProcess& process, Crowd& crowd);

}  // namespace testbed
