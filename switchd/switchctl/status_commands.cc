#include <boost/program_options/value_semantic.hpp>
#include <chrono>

#include "ctl/cli.h"
#include "ctl/table.h"

namespace switchctl {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

std::string duration(int64_t seconds) {
  const auto two = [](int64_t number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  const std::string clock =
      two(seconds / 3600 % 24) + ":" + two(seconds / 60 % 60) + ":" + two(seconds % 60);
  const int64_t days = seconds / (24 * 3600);
  return days == 0 ? clock : std::to_string(days) + " d " + clock;
}

void print_status(const json& result, std::ostream& out) {
  std::string cpus;
  for (const json& cpu : result.at("workers")) cpus += (cpus.empty() ? "" : ",") + cpu.dump();
  Table table({});
  table.add({"version", cell(result.at("version"))});
  table.add({"process", cell(result.at("pid"))});
  table.add({"up", duration(result.at("uptime_s").get<int64_t>())});
  table.add({"data path", cell(result.at("cpu_level"))});
  table.add({"workers", "CPU " + cpus + ", polling " + cell(result.at("poll"))});
  table.add({"ports", cell(result.at("ports")) + ", " + cell(result.at("attached")) + " attached"});
  table.add({"addresses", cell(result.at("macs")) + " of " + cell(result.at("mac_table_size"))});
  table.add({"sockets in", cell(result.at("socket_dir"))});
  table.add({"state file", cell(result.at("state_file"))});
  table.add({"log level", cell(result.at("log_level"))});
  for (const json& lost : result.at("unrestored")) {
    table.add({"not restored", cell(lost.at("name")) + ": " + cell(lost.at("reason"))});
  }
  table.print(out);
}

void print_event(const json& event, std::ostream& out) {
  out << cell(event.at("time")) << "  " << cell(event.at("kind")) << "  " << cell(event.at("port"));
  const std::string detail = cell(event.at("detail"));
  if (!detail.empty()) out << "  " << detail;
  out << std::endl;  // whoever follows wants it now
}

}  // namespace

void status(Invocation& invocation) {
  invocation.parse({}, {});
  const json result = invocation.call("status");
  if (!invocation.print_json(result)) print_status(result, invocation.out());
}

void log_level(Invocation& invocation) {
  const auto variables = invocation.parse({}, {"LEVEL"});
  const json result =
      invocation.call("log.set_level", {{"level", variables["LEVEL"].as<std::string>()}});
  if (!invocation.print_json(result)) {
    invocation.out() << "log level is " << cell(result.at("level")) << "\n";
  }
}

void events(Invocation& invocation) {
  po::options_description options;
  options.add_options()("count", po::value<uint64_t>()->default_value(0));
  const uint64_t count = invocation.parse(options, {})["count"].as<uint64_t>();
  constexpr std::chrono::hours kAnyTime{1};
  invocation.call("events.subscribe");
  for (uint64_t seen = 0; count == 0 || seen < count;) {
    const auto event = invocation.client().next_event(kAnyTime);
    if (!event) continue;
    ++seen;
    if (invocation.json()) {
      invocation.out() << event->dump() << std::endl;
    } else {
      print_event(*event, invocation.out());
    }
  }
}

}  // namespace switchctl
