// stats: the counters as they stand, or the rates between two readings while watching.
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/program_options/value_semantic.hpp>
#include <charconv>
#include <chrono>
#include <cmath>

#include "ctl/cli.h"
#include "ctl/table.h"

namespace switchctl {
namespace {

namespace po = boost::program_options;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Reading {
  json stats;
  Clock::time_point when;
};

uint64_t counter(const json& object, const char* name) {
  return object.at(name).get<uint64_t>();
}

uint64_t drops(const json& direction) {
  uint64_t sum = 0;
  for (const auto& [name, value] : direction.items()) {
    if (name.starts_with("drop_")) sum += value.get<uint64_t>();
  }
  return sum;
}

std::string ratio(uint64_t part, uint64_t whole, double scale, const char* unit) {
  if (whole == 0) return "-";
  return short_number(scale * static_cast<double>(part) / static_cast<double>(whole)) + unit;
}

std::string port_names(const json& worker) {
  std::string names;
  for (const json& name : worker.at("ports")) {
    names += (names.empty() ? "" : " ") + name.get<std::string>();
  }
  return names;
}

// Counters of `now` less those of the object of the same `key` in `before`.
json difference(const json& now, const json& before) {
  if (now.is_object()) {
    json result = json::object();
    for (const auto& [key, value] : now.items()) {
      result[key] = difference(value, before.value(key, json()));
    }
    return result;
  }
  if (!now.is_number_unsigned() || !before.is_number_unsigned()) return now;
  const auto new_value = now.get<uint64_t>();
  const auto old_value = before.get<uint64_t>();
  // A port that was removed and added again starts at 0.
  return new_value >= old_value ? new_value - old_value : new_value;
}

json list_difference(const json& now, const json& before, const char* key) {
  json result = json::array();
  for (const json& element : now) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const json& other) {
      return other.at(key) == element.at(key);
    });
    json changed = same != before.end() ? difference(element, *same) : element;
    changed[key] = element.at(key);
    result.push_back(std::move(changed));
  }
  return result;
}

json stats_difference(const json& now, const json& before) {
  return {{"ports", list_difference(now.at("ports"), before.at("ports"), "name")},
          {"workers", list_difference(now.at("workers"), before.at("workers"), "cpu")}};
}

void print_workers(const json& workers, std::ostream& out) {
  Table table({">CPU", ">FRAMES", ">DELIVERED", ">CYCLES/FRAME", ">BUSY", ">ASLEEP", ">INTERRUPTS",
               "PORTS"});
  for (const json& worker : workers) {
    const uint64_t busy = counter(worker, "busy_cycles");
    const uint64_t asleep = counter(worker, "sleep_cycles");
    const uint64_t all = busy + asleep + counter(worker, "idle_cycles");
    table.add({worker.at("cpu").dump(), worker.at("frames").dump(), worker.at("delivered").dump(),
               ratio(busy, counter(worker, "frames"), 1, ""), ratio(busy, all, 100, " %"),
               ratio(asleep, all, 100, " %"), worker.at("notifications").dump(),
               port_names(worker)});
  }
  table.print(out);
}

// Of ports whose guests got anything that way.
void print_offloads(const json& ports, std::ostream& out) {
  constexpr std::array kCounters = {"checksums_completed", "tso_whole", "tso_whole_60k", "tso_cut",
                                    "tso_segments"};
  Table table(
      {"PORT", ">CHECKSUMS COMPLETED", ">TSO WHOLE", ">OVER 60 KIB", ">TSO CUT", ">INTO FRAMES"});
  for (const json& port : ports) {
    std::vector<std::string> row = {port.at("name").get<std::string>()};
    bool any = false;
    for (const char* name : kCounters) {
      const json& value = port.at("egress").at(name);
      any |= value != json(0);
      row.push_back(value.dump());
    }
    if (any) table.add(row);
  }
  if (table.empty()) return;
  out << "\n";
  table.print(out);
}

void print_totals(const json& stats, std::ostream& out) {
  Table ports(
      {"PORT", ">IN FRAMES", ">IN BYTES", ">IN DROPS", ">OUT FRAMES", ">OUT BYTES", ">OUT DROPS"});
  Table reasons({"PORT", "DROPPED BECAUSE", ">FRAMES"});
  for (const json& port : stats.at("ports")) {
    const json& in = port.at("ingress");
    const json& out_counters = port.at("egress");
    const std::string name = port.at("name").get<std::string>();
    ports.add({name, in.at("frames").dump(), in.at("bytes").dump(), std::to_string(drops(in)),
               out_counters.at("frames").dump(), out_counters.at("bytes").dump(),
               std::to_string(drops(out_counters))});
    for (const char* direction : {"ingress", "egress"}) {
      for (const auto& [reason, value] : port.at(direction).items()) {
        if (!reason.starts_with("drop_") || value == json(0)) continue;
        reasons.add({name, std::string(direction) + " " + reason, value.dump()});
      }
    }
  }
  ports.print(out);
  if (!reasons.empty()) {
    out << "\n";
    reasons.print(out);
  }
  print_offloads(stats.at("ports"), out);
  out << "\n";
  print_workers(stats.at("workers"), out);
}

void print_rates(const json& change, double seconds, std::ostream& out) {
  constexpr double kBitsPerByte = 8;
  const auto rate = [&](uint64_t count, double scale) {
    return short_number(scale * static_cast<double>(count) / seconds);
  };
  Table ports({"PORT", ">IN FRAMES/S", ">IN BIT/S", ">IN DROPS/S", ">OUT FRAMES/S", ">OUT BIT/S",
               ">OUT DROPS/S"});
  for (const json& port : change.at("ports")) {
    const json& in = port.at("ingress");
    const json& egress = port.at("egress");
    ports.add({port.at("name").get<std::string>(), rate(counter(in, "frames"), 1),
               rate(counter(in, "bytes"), kBitsPerByte), rate(drops(in), 1),
               rate(counter(egress, "frames"), 1), rate(counter(egress, "bytes"), kBitsPerByte),
               rate(drops(egress), 1)});
  }
  ports.print(out);
  out << "\n";
  print_workers(change.at("workers"), out);
  out << std::endl;
}

struct StatsOptions {
  json params = json::object();
  bool watch = false;
  double seconds = 1;
  uint64_t count = 0;  // reports; 0: until interrupted
};

StatsOptions parse_options(const Invocation& invocation) {
  po::options_description description;
  description.add_options()               //
      ("port", po::value<std::string>())  //
      ("watch", po::bool_switch())        //
      ("count", po::value<uint64_t>()->default_value(0));
  const auto variables = invocation.parse(description, {"[SECONDS]"});
  StatsOptions options;
  if (variables.count("port") != 0) options.params["port"] = variables["port"].as<std::string>();
  options.watch = variables["watch"].as<bool>();
  options.count = variables["count"].as<uint64_t>();
  if (variables.count("SECONDS") == 0) return options;
  const std::string text = variables["SECONDS"].as<std::string>();
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), options.seconds);
  constexpr double kShortest = 0.01;
  constexpr double kLongest = 3600;
  if (error != std::errc() || end != text.data() + text.size() || !options.watch ||
      !(options.seconds >= kShortest && options.seconds <= kLongest)) {
    throw UsageError("'" + text + "' is no interval; write --watch 2");
  }
  return options;
}

Reading read_stats(Invocation& invocation, const json& params) {
  Reading reading;
  reading.stats = invocation.call("stats.get", params);
  reading.when = Clock::now();
  return reading;
}

void watch(Invocation& invocation, const StatsOptions& options) {
  constexpr double kMilliseconds = 1000;
  Reading before = read_stats(invocation, options.params);
  for (uint64_t reports = 0; options.count == 0 || reports < options.count; ++reports) {
    poll(nullptr, 0, static_cast<int>(std::lround(options.seconds * kMilliseconds)));
    Reading now = read_stats(invocation, options.params);
    const std::chrono::duration<double> elapsed = now.when - before.when;
    json change = stats_difference(now.stats, before.stats);
    if (invocation.json()) {
      change["seconds"] = elapsed.count();
      invocation.out() << change.dump() << std::endl;
    } else {
      print_rates(change, elapsed.count(), invocation.out());
    }
    before = std::move(now);
  }
}

}  // namespace

void stats(Invocation& invocation) {
  const StatsOptions options = parse_options(invocation);
  if (options.watch) return watch(invocation, options);
  const json result = invocation.call("stats.get", options.params);
  if (!invocation.print_json(result)) print_totals(result, invocation.out());
}

}  // namespace switchctl
