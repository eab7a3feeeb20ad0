// VMMs that mean harm: each on a port and a thread of its own, connecting again without pause.
//
//   half     announces a payload and sends none of it, or half; hangs up at once or waits to be
//            sent away
//   tables   negotiates, then alternates two whole memory tables, twenty of them
//   deaf     asks and asks and reads no answer
//
// Threads: the constructor and stop() on one; each attack has its own. Errors: whatever the switch
// does to an attacker is what it is there for; stop() tells how often each came in.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace testbed {

enum class Attack { half, tables, deaf };
inline constexpr std::array<const char*, 3> kAttackNames = {"half a message", "memory tables",
                                                            "answers not read"};

class Attackers {
 public:
  struct Place {
    Attack attack;
    std::string socket;
  };
  struct Count {
    std::atomic<uint64_t> connections{0};
    std::atomic<uint64_t> messages{0};
  };

  explicit Attackers(const std::vector<Place>& places);
  ~Attackers() { stop(); }
  Attackers(const Attackers&) = delete;
  Attackers& operator=(const Attackers&) = delete;

  void stop();
  const Count& count(Attack attack) const { return counts_[static_cast<std::size_t>(attack)]; }

 private:
  void run(const Place& place);
  void once(const Place& place, uint64_t round, Count& count);

  std::array<Count, kAttackNames.size()> counts_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace testbed
