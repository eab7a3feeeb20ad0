#include "siege/siege.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "lib/background_traffic.h"
#include "lib/books.h"
#include "lib/crowd.h"
#include "lib/frames.h"
#include "lib/shapes.h"
#include "lib/switch_process.h"

namespace testbed {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kAttackers = 8;
constexpr std::chrono::milliseconds kBetweenAttaches{125};  // a port admits ten VMMs a second
constexpr std::chrono::milliseconds kBetweenBursts{1};
constexpr const char* kNinth = "ninth";

void add_pair(Crowd& crowd, const SwitchProcess& process) {
  for (const char* port : {"left", "right"}) {
    frontend::GuestOptions options;
    options.socket = process.socket(port);
    drivers().front().apply(options);
    crowd.add(port, options);
  }
  crowd.announce();
}

// Every frame must have come, and be counted.
void finish(SwitchProcess& process, Crowd& crowd, SiegeResult& result) {
  crowd.settle_whole();
  balanced_books(process, crowd);
  result.problems = crowd.problems();
  result.frames = crowd.pair(0, 1).received + crowd.pair(1, 0).received;
}

double attach_once(const std::string& socket) {
  frontend::GuestOptions options;
  options.socket = socket;
  options.memory.regions = {1u << 20};
  frontend::Guest guest(options);
  const auto frame = frontend::make_frame(
      {kLinkLocalAddress, frontend::guest_mac(9, 0), 9, frontend::kFlood, 60}, 60);
  const auto started = Clock::now();
  guest.start();
  guest.send(frame);
  while (guest.transmit().reclaim() == 0) {
    if (Clock::now() - started > kDeadline) throw TestbedError("the ninth guest is not served");
    std::this_thread::yield();
  }
  return std::chrono::duration<double, std::milli>(Clock::now() - started).count();
}

void attach(const std::string& socket, unsigned times, Waits& waits) {
  for (unsigned i = 0; i < times; ++i) {
    const auto next = Clock::now() + kBetweenAttaches;
    waits.milliseconds.push_back(attach_once(socket));
    std::this_thread::sleep_until(next);
  }
}

std::vector<Attackers::Place> places(const SwitchProcess& process) {
  std::vector<Attackers::Place> all;
  for (unsigned i = 0; i < kAttackers; ++i) {
    const Attack attack = i < 4 ? Attack::half : i < 6 ? Attack::tables : Attack::deaf;
    all.push_back({attack, process.socket(port_name(i))});
  }
  return all;
}

void note_attacks(const Attackers& attackers, SiegeResult& result) {
  result.attacked = true;
  for (std::size_t i = 0; i < kAttackNames.size(); ++i) {
    const Attackers::Count& count = attackers.count(static_cast<Attack>(i));
    result.attacked &= count.connections != 0;
    result.attacks.push_back(std::string(kAttackNames[i]) + ": " +
                             std::to_string(count.connections) + " connections, " +
                             std::to_string(count.messages) + " messages");
  }
}

}  // namespace

double Waits::median() const {
  std::vector<double> sorted = milliseconds;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Waits::worst() const {
  return *std::max_element(milliseconds.begin(), milliseconds.end());
}

SiegeResult besiege(const SiegeOptions& options, std::ostream& progress) {
  std::vector<std::string> arguments = port_arguments(kAttackers);
  for (const char* port : {"left", "right", kNinth}) {
    arguments.push_back("--port");
    arguments.push_back(port);
  }
  SwitchProcess process(arguments);
  SiegeResult result;
  Crowd pair;
  add_pair(pair, process);
  BackgroundTraffic traffic(pair, kBetweenBursts);
  const std::string ninth = process.socket(kNinth);
  progress << "quiet" << std::endl;
  attach(ninth, options.attaches - options.attaches / 2, result.quiet);
  {
    progress << "besieged" << std::endl;
    Attackers attackers(places(process));
    attach(ninth, options.attaches, result.besieged);
    attackers.stop();
    note_attacks(attackers, result);
  }
  progress << "quiet again" << std::endl;
  attach(ninth, options.attaches / 2, result.quiet);
  traffic.stop();
  finish(process, pair, result);
  return result;
}

}  // namespace testbed
