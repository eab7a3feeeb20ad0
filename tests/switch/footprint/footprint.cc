#include "footprint/footprint.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/cpu.h"
#include "bench/traffic.h"
#include "lib/switch_process.h"

namespace testbed {
namespace {

void wait(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

bench::TrafficOptions load_on(const SwitchProcess& process, unsigned ports) {
  bench::TrafficOptions options;
  for (unsigned i = 0; i < ports; ++i) options.sockets.push_back(process.socket(port_name(i)));
  options.pattern = ports == 2 ? bench::Pattern::pair : bench::Pattern::mesh;
  options.mode = bench::Mode::touch;
  options.cpu = bench::allowed_cpus().front();  // switchd takes the last one
  return options;
}

// A switch with two ports, and a load that is there when asked for.
struct Contender {
  explicit Contender(const std::optional<std::string>& user)
      : process(port_arguments(2), user), traffic(load_on(process, 2)) {
    traffic.announce();
  }

  // Frames a second.
  double round(double seconds) {
    traffic.resume();
    wait(seconds / 4);
    const bench::TrafficCounts first = traffic.snapshot();
    wait(seconds);
    const bench::TrafficCounts last = traffic.snapshot();
    traffic.pause();
    return static_cast<double>(last.delivered - first.delivered) * bench::tsc_hz() /
           static_cast<double>(last.tsc - first.tsc);
  }

  SwitchProcess process;
  bench::Traffic traffic;
};

}  // namespace

std::optional<std::string> ordinary_user() {
  if (geteuid() != 0) return std::nullopt;
  return "nobody";
}

ProcessFacts memory_under_traffic(unsigned ports, double seconds) {
  SwitchProcess process(port_arguments(ports), ordinary_user());
  bench::Traffic traffic(load_on(process, ports));
  traffic.announce();
  traffic.resume();
  wait(seconds);
  const bench::TrafficCounts counts = traffic.snapshot();
  const ProcessFacts facts = facts_of(process.pid());
  traffic.pause();
  if (counts.delivered == 0) throw TestbedError("no frame was delivered");
  if (counts.wrong + counts.misordered + counts.bad_headers + counts.protocol_errors != 0) {
    throw TestbedError("frames were delivered wrongly");
  }
  return facts;
}

RatioOfUsers throughput_as_nobody(unsigned rounds, double seconds) {
  Contender root(std::nullopt);
  Contender nobody("nobody");
  RatioOfUsers result;
  std::vector<double> rates;
  for (unsigned i = 0; i < rounds; ++i) {
    // Turn about, so that neither is always second.
    const bool root_first = i % 2 == 0;
    double as_root = root_first ? root.round(seconds) : 0;
    rates.push_back(nobody.round(seconds));
    if (!root_first) as_root = root.round(seconds);
    result.ratios.push_back(rates.back() / as_root);
  }
  std::sort(result.ratios.begin(), result.ratios.end());
  std::sort(rates.begin(), rates.end());
  result.median_rate = rates.at(rates.size() / 2);
  return result;
}

}  // namespace testbed
