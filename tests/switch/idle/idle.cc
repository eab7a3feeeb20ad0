#include "idle/idle.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "lib/crowd.h"
#include "lib/process_facts.h"
#include "lib/switch_process.h"

namespace testbed {
namespace {

using Clock = std::chrono::steady_clock;

// Longer than the switch looks for frames before it sleeps (50 us).
constexpr std::chrono::microseconds kPause{400};
constexpr unsigned kRingSize = 64;

// The switch's worker has the last CPU. After switches have started: they would inherit it.
void pin_to_first_cpu() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  CPU_ZERO(&allowed);
  CPU_SET(first, &allowed);
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

std::vector<std::string> arguments(unsigned ports, const char* poll) {
  std::vector<std::string> words = port_arguments(ports);
  words.insert(words.end(), {"--poll", poll});
  return words;
}

struct Setting {
  Setting(unsigned ports, const char* poll) : process(arguments(ports, poll)) {
    for (unsigned i = 0; i < ports; ++i) {
      frontend::GuestOptions options;
      options.socket = process.socket(port_name(i));
      options.transmit_size = options.receive_size = kRingSize;
      crowd.add(port_name(i), options);
    }
    crowd.announce();
  }

  void stop() const { kill(process.pid(), SIGSTOP); }
  void go_on() const { kill(process.pid(), SIGCONT); }

  // One frame, in microseconds.
  double frame() {
    frontend::Guest& receiver = crowd.at(1).guest;
    const uint16_t before = receiver.receive_ring().used_index();
    const auto sent = Clock::now();
    if (!crowd.try_send(0, 1, 60)) throw TestbedError("the transmit ring is full");
    while (receiver.receive_ring().used_index() == before) {
      if (Clock::now() - sent > kDeadline) throw TestbedError("a frame after a pause never came");
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - sent;
    crowd.settle();
    return took.count();
  }

  void round(std::vector<double>& times) {
    go_on();
    frame();
    for (unsigned i = 0; i < kFramesPerRound; ++i) {
      std::this_thread::sleep_for(kPause);
      times.push_back(frame());
    }
    stop();
  }

  SwitchProcess process;
  Crowd crowd;
};

uint64_t sleeps_of(SwitchProcess& process) {
  return process.call("stats.get").at("workers").at(0).at("sleeps").get<uint64_t>();
}

}  // namespace

double idle_share(unsigned ports, double seconds) {
  Setting setting(ports, "adaptive");
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto started = Clock::now();
  const auto before = cpu_time_of(setting.process.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const std::chrono::duration<double> passed = Clock::now() - started;
  return (cpu_time_of(setting.process.pid()) - before) / passed;
}

WakeUps wake_ups(unsigned rounds) {
  Setting busy(2, "busy");
  busy.stop();
  Setting adaptive(2, "adaptive");
  adaptive.stop();
  pin_to_first_cpu();
  WakeUps result;
  for (unsigned i = 0; i < rounds; ++i) {
    busy.round(result.busy_us);
    adaptive.round(result.adaptive_us);
  }
  adaptive.go_on();
  result.sleeps = sleeps_of(adaptive.process);
  std::sort(result.busy_us.begin(), result.busy_us.end());
  std::sort(result.adaptive_us.begin(), result.adaptive_us.end());
  return result;
}

}  // namespace testbed
