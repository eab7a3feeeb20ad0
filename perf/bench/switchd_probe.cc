#include "bench/switchd_probe.h"

#include "bench/cpu.h"
#include "bench/error.h"

namespace bench {
namespace {

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

SwitchdProbe::SwitchdProbe(const std::string& control_socket) : client_(control_socket) {}

SwitchdProbe::Sums SwitchdProbe::ask() {
  Sums sums;
  const uint64_t before = tsc();
  const nlohmann::json workers = client_.call("stats.get").at("workers");
  sums.tsc = before + (tsc() - before) / 2;
  sums.workers = workers.size();
  for (const nlohmann::json& worker : workers) {
    const auto number = [&](const char* key) { return worker.at(key).get<uint64_t>(); };
    sums.turns += number("turns");
    sums.busy_turns += number("busy_turns");
    sums.busy_cycles += number("busy_cycles");
    sums.all_cycles += number("busy_cycles") + number("idle_cycles") + number("sleep_cycles");
    sums.frames += number("frames");
    sums.delivered += number("delivered");
  }
  sums.raw = workers;
  return sums;
}

void SwitchdProbe::start() {
  start_ = ask();
}

ProbeResult SwitchdProbe::stop() {
  const Sums end = ask();
  ProbeResult result;
  result.frames = end.frames - start_.frames;
  result.delivered = end.delivered - start_.delivered;
  result.busy_cycles = static_cast<double>(end.busy_cycles - start_.busy_cycles);
  result.idle_turns = 1 - ratio(end.busy_turns - start_.busy_turns, end.turns - start_.turns);
  result.accounted =
      ratio(end.all_cycles - start_.all_cycles, (end.tsc - start_.tsc) * end.workers);
  result.raw = {{"before", start_.raw}, {"after", end.raw}};
  return result;
}

std::optional<int> SwitchdProbe::worker_cpu() {
  const Sums now = ask();
  if (now.workers != 1) return std::nullopt;
  return now.raw.at(0).at("cpu").get<int>();
}

}  // namespace bench
