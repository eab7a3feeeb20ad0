// How a worker goes to sleep without missing anything: the order of the steps, and nothing else.
//
// The steps themselves are the `Side`'s: the Worker's, with real rings, QSBR and epoll, and those
// of the model checker in the unit tests, which tries every order in which the other threads'
// steps, and stores that are still in a CPU's buffer, can fall between them.
//
//   1. clear_woken, enable_kicks: from here on who changes something tells us
//   2. fence: what was asked for is visible before we look
//   3. told, work_waiting: what came before that is found by looking
//   4. offline: nobody waits for a sleeper
//   5. wait; online before anything that others may take away is touched again
//
// Threads: the worker.
#pragma once

namespace datapath {

// Returns whether it slept.
template <typename Side>
bool sleep_unless_work(Side& side) {
  side.clear_woken();
  side.enable_kicks();
  side.fence();
  const bool sleeps = !side.told() && !side.work_waiting();
  if (sleeps) {
    side.offline();
    side.wait();
    side.online();
  }
  side.disable_kicks();
  side.turn_ended();
  return sleeps;
}

}  // namespace datapath
