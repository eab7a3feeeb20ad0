#include "bench/measurement.h"

#include <chrono>
#include <thread>

#include "bench/cpu.h"

namespace bench {
namespace {

void wait(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

double per(double amount, uint64_t count) {
  return count == 0 ? 0 : amount / static_cast<double>(count);
}

void fill_window(Measurement& result, const TrafficCounts& first, const TrafficCounts& last) {
  const auto cycles = static_cast<double>(last.tsc - first.tsc);
  const uint64_t sent = last.sent - first.sent;
  result.seconds = cycles / tsc_hz();
  result.sent_per_second = static_cast<double>(sent) / result.seconds;
  result.delivered_per_second =
      static_cast<double>(last.delivered - first.delivered) / result.seconds;
  result.wall_cycles_a_frame = per(cycles, sent);
}

void fill_cycles(Measurement& result) {
  const ProbeResult& probe = *result.probe;
  result.cycles_a_frame = per(probe.busy_cycles, probe.frames);
  if (probe.delivered) {
    result.cycles_a_delivered = per(probe.busy_cycles, *probe.delivered);
  } else if (result.sent_per_second > 0 && result.delivered_per_second > 0) {
    result.cycles_a_delivered =
        *result.cycles_a_frame * result.sent_per_second / result.delivered_per_second;
  }
}

}  // namespace

Measurement measure(const MeasurementOptions& options, Probe* probe) {
  Measurement result;
  std::optional<int> switch_cpu = options.switch_cpu;
  if (!switch_cpu && probe != nullptr) switch_cpu = probe->worker_cpu();
  if (switch_cpu) result.round_trip_ns = round_trip_ns(options.traffic.cpu, *switch_cpu);

  Traffic traffic(options.traffic);
  traffic.announce();
  traffic.resume();
  wait(options.warm_up);
  if (probe != nullptr) probe->start();
  const TrafficCounts first = traffic.snapshot();
  wait(options.seconds);
  const TrafficCounts last = traffic.snapshot();
  if (probe != nullptr) result.probe = probe->stop();
  traffic.pause();

  fill_window(result, first, last);
  if (result.probe) fill_cycles(result);
  result.total = traffic.snapshot();
  const uint64_t owed =
      result.total.sent *
      copies_of(options.traffic.pattern, static_cast<uint16_t>(options.traffic.sockets.size()));
  result.lost = owed > result.total.delivered ? owed - result.total.delivered : 0;
  if (options.traffic.mode == Mode::rings) result.audit = traffic.audit();
  return result;
}

}  // namespace bench
