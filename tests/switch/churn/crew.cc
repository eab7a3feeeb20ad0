#include "churn/crew.h"

#include <filesystem>
#include <thread>

namespace testbed {

Crew::Crew(SwitchProcess& process, uint64_t seed,
           const std::function<frontend::GuestOptions(uint16_t)>& options_of)
    : random_(seed) {
  for (uint16_t i = 0; i < kCrew; ++i) {
    frontend::GuestOptions options = options_of(i);
    options.socket = process.socket(port_name(i));
    crowd_.add(port_name(i), options);
  }
  crowd_.announce();
}

std::vector<uint16_t> Crew::present() {
  std::vector<uint16_t> all;
  for (uint16_t i = 0; i < kCrew; ++i) {
    if (crowd_.at(i).guest.connected()) all.push_back(i);
  }
  return all;
}

std::vector<uint16_t> Crew::absent() {
  std::vector<uint16_t> all;
  for (uint16_t i = 0; i < kCrew; ++i) {
    if (!crowd_.at(i).guest.connected()) all.push_back(i);
  }
  return all;
}

uint16_t Crew::one_of(const std::vector<uint16_t>& stations) {
  return stations.at(some(static_cast<unsigned>(stations.size())));
}

void Crew::exchange(uint16_t station) {
  std::vector<uint16_t> others = present();
  std::erase(others, station);
  crowd_.flood(station, frontend::kBroadcastAddress, 60, others);
  for (int i = 0; i < 20; ++i) {
    for (const uint16_t other : others) {
      crowd_.send(station, other, some_size());
      crowd_.send(other, station, some_size());
    }
  }
  crowd_.settle_whole();
}

void Crew::hurry() {
  constexpr unsigned kMostFrames = 2000;
  const std::vector<uint16_t> here = present();
  for (unsigned left = some(kMostFrames); left > 0; --left) {
    const uint16_t from = one_of(here);
    const uint16_t to = one_of(here);
    if (from == to) continue;
    if (!crowd_.try_send(from, to, some_size()) || some(64) == 0) crowd_.turn();
  }
}

void Crew::calm() {
  crowd_.settle();
  crowd_.accept_losses();
}

uint64_t Crew::frames() {
  uint64_t sum = 0;
  for (uint16_t i = 0; i < kCrew; ++i) sum += crowd_.received(i);
  return sum;
}

// What a VMM leaves behind is closed on threads of their own, which end by and by.
ProcessFacts settled_facts(const SwitchProcess& process, const ProcessFacts& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (;;) {
    const ProcessFacts facts = facts_of(process.pid());
    const bool same = facts.descriptors == wanted.descriptors && facts.threads == wanted.threads;
    if (same || std::chrono::steady_clock::now() > deadline) return facts;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::size_t files_of(const SwitchProcess& process) {
  const std::filesystem::recursive_directory_iterator all(process.directory());
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace testbed
