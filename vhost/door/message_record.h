// The protocol history of a port: its last messages, in words.
//
// Threads: one.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "vhost/door/limits.h"

namespace vhost::door {

// One line of the protocol history of a port.
struct MessageRecord {
  std::chrono::system_clock::time_point when;
  std::string name;     // VHOST_USER_SET_MEM_TABLE ..., or "connected" and "disconnected"
  std::string summary;  // its main fields, and the answer
};

class MessageHistory {
 public:
  void add(std::string name, std::string summary) {
    lines_.push_back({std::chrono::system_clock::now(), std::move(name), std::move(summary)});
    if (lines_.size() > kHistoryLines) lines_.pop_front();
  }

  // Adds to the last line: what became of it.
  void append(const std::string& outcome) {
    if (lines_.empty()) return;
    std::string& summary = lines_.back().summary;
    if (!summary.empty()) summary += ' ';
    summary += outcome;
  }

  std::vector<MessageRecord> lines() const { return {lines_.begin(), lines_.end()}; }

 private:
  std::deque<MessageRecord> lines_;
};

}  // namespace vhost::door
