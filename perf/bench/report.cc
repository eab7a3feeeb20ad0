#include "bench/report.h"

#include <array>
#include <cstdio>
#include <fstream>

#include "bench/error.h"

namespace bench {
namespace {

const char* mode_name(Mode mode) {
  return mode == Mode::rings ? "rings" : "touch";
}

const char* ring_name(const TrafficOptions& traffic) {
  return traffic.packed ? "packed" : "split";
}

const char* shape_name(frontend::StreamShape shape) {
  return shape == frontend::StreamShape::direct ? "direct" : "indirect3";
}

nlohmann::json or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

template <typename... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

void print_cycles(std::ostream& out, const Measurement& result) {
  if (result.cycles_a_frame) {
    out << text("  cycles a frame      %10.1f   a delivered frame %.1f%s\n", *result.cycles_a_frame,
                result.cycles_a_delivered.value_or(0),
                result.unsaturated() ? "   UNSATURATED" : "");
  }
  if (result.probe && result.probe->idle_turns) {
    out << text("  idle turns          %10.2f %%\n", 100 * *result.probe->idle_turns);
  }
  if (result.probe && result.probe->accounted) {
    out << text("  busy + idle / wall  %10.3f\n", *result.probe->accounted);
  }
  out << text("  wall cycles a frame %10.1f\n", result.wall_cycles_a_frame);
  if (result.round_trip_ns) {
    out << text("  CPU round trip      %10.0f ns\n", *result.round_trip_ns);
  }
}

}  // namespace

nlohmann::json to_json(const MeasurementOptions& options, const Measurement& result) {
  const TrafficOptions& traffic = options.traffic;
  nlohmann::json probe;
  if (result.probe) {
    probe = {{"frames", result.probe->frames},
             {"busy_cycles", result.probe->busy_cycles},
             {"idle_turns", or_null(result.probe->idle_turns)},
             {"accounted", or_null(result.probe->accounted)},
             {"raw", result.probe->raw}};
    if (result.probe->delivered) probe["delivered"] = *result.probe->delivered;
  }
  return {{"pattern", name_of(traffic.pattern)},
          {"guests", traffic.sockets.size()},
          {"frame_size", traffic.frame_size},
          {"segment", traffic.gso_size},
          {"bytes_per_second", result.delivered_per_second * traffic.frame_size},
          {"macs_per_port", traffic.macs_per_port},
          {"mode", mode_name(traffic.mode)},
          {"shape", shape_name(traffic.shape)},
          {"ring", ring_name(traffic)},
          {"buffers", traffic.scattered ? "scattered" : "in-order"},
          {"ring_size", traffic.ring_size},
          {"hugepages", traffic.hugepages},
          {"cpu", traffic.cpu},
          {"seconds", result.seconds},
          {"sent_per_second", result.sent_per_second},
          {"delivered_per_second", result.delivered_per_second},
          {"sent", result.total.sent},
          {"delivered", result.total.delivered},
          {"lost", result.lost},
          {"wrong", result.wrong()},
          {"audited", result.audit.looked_at},
          {"misordered", result.total.misordered},
          {"bad_headers", result.total.bad_headers},
          {"protocol_errors", result.total.protocol_errors},
          {"cycles_a_frame", or_null(result.cycles_a_frame)},
          {"cycles_a_delivered", or_null(result.cycles_a_delivered)},
          {"wall_cycles_a_frame", result.wall_cycles_a_frame},
          {"round_trip_ns", or_null(result.round_trip_ns)},
          {"unsaturated", result.unsaturated()},
          {"probe", probe}};
}

void print(std::ostream& out, const MeasurementOptions& options, const Measurement& result) {
  const TrafficOptions& traffic = options.traffic;
  out << text("%s of %zu, %u bytes, %u MACs a port, %s, %s, %s rings\n",
              name_of(traffic.pattern).c_str(), traffic.sockets.size(), traffic.frame_size,
              unsigned{traffic.macs_per_port}, mode_name(traffic.mode), shape_name(traffic.shape),
              ring_name(traffic));
  out << text("  sent                %10.3f million frames a second\n",
              result.sent_per_second / 1e6);
  out << text("  delivered           %10.3f million frames a second\n",
              result.delivered_per_second / 1e6);
  out << text("                      %10.3f gigabytes a second\n",
              result.delivered_per_second * traffic.frame_size / 1e9);
  const uint64_t owed = result.lost + result.total.delivered;
  out << text("  lost                %10.4f %% (%llu of %llu, the whole run)\n",
              owed == 0 ? 0 : 100 * static_cast<double>(result.lost) / static_cast<double>(owed),
              static_cast<unsigned long long>(result.lost), static_cast<unsigned long long>(owed));
  out << text("  delivered wrongly   %10llu", static_cast<unsigned long long>(result.wrong()));
  if (traffic.mode == Mode::rings) {
    out << text(" of %llu looked at", static_cast<unsigned long long>(result.audit.looked_at));
  }
  out << text(", misordered %llu, bad headers %llu, protocol errors %llu\n",
              static_cast<unsigned long long>(result.total.misordered),
              static_cast<unsigned long long>(result.total.bad_headers),
              static_cast<unsigned long long>(result.total.protocol_errors));
  print_cycles(out, result);
}

void write_file(const std::string& path, const nlohmann::json& document) {
  std::ofstream file(path);
  file << document.dump(2) << '\n';
  file.close();
  if (!file) throw BenchError(path + ": cannot write the result there");
}

}  // namespace bench
