// Coroutines that must not run at the same time take turns, in the order in which they ask.
//
//   const std::shared_ptr<Turn> turn = co_await turns.take();   // the turn ends with it
//
// Threads: the event loop's.
#pragma once

#include <cstdint>
#include <memory>

#include "process/changes.h"

namespace launcher {

// Shared by who hands out turns and who has one: the loop, with what still waits on it, may be the
// last to go.
struct TurnCounts {
  Changes* changes = nullptr;  // none: nobody waits any more
  uint64_t asked = 0;
  uint64_t served = 0;
};

class Turn {
 public:
  explicit Turn(std::shared_ptr<TurnCounts> counts) : counts_(std::move(counts)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    ++counts_->served;
    if (counts_->changes != nullptr) counts_->changes->notify();
  }

 private:
  std::shared_ptr<TurnCounts> counts_;
};

class Turns {
 public:
  explicit Turns(Changes& changes) { counts_->changes = &changes; }
  ~Turns() { counts_->changes = nullptr; }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  Task<std::shared_ptr<Turn>> take() {
    const auto counts = counts_;
    const uint64_t mine = counts->asked++;
    const auto is_mine = [counts, mine] { return counts->served == mine; };
    co_await counts->changes->until(is_mine, Clock::now() + kForever);
    co_return std::make_shared<Turn>(counts);
  }

 private:
  const std::shared_ptr<TurnCounts> counts_ = std::make_shared<TurnCounts>();
};

}  // namespace launcher
