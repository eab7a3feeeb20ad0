#include "bench/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>
#include <sstream>
#include <vector>

#include "bench/cpu.h"
#include "bench/error.h"
#include "client/default_paths.h"

namespace bench {
namespace {

namespace po = boost::program_options;

constexpr uint32_t kSmallestFrame = 64;
constexpr uint32_t kLargestFrame = 9018;
constexpr uint32_t kLargestSegment = 65'553;  // of IPv4, with Ethernet's header and FCS
constexpr unsigned kMostMacs = 8192;

constexpr const char* kIntroduction =
    R"(switch-bench measures a vhost-user switch: it plays the virtual machines (bare front-ends
with their own memory and rings, all driven from one CPU) and asks the switch how many cycles a
frame took inside it.

  switch-bench live                  a running switchd, in under 30 s, as an ordinary user:
                                     adds two ports for the time being, measures 64 and 1518 bytes
  switch-bench run --socket PATH...  any switch, given its vhost-user sockets
  perf/compare                       switchd beside Open vSwitch, testpmd and VPP

Examples:
  switchd --port a=/tmp/a.sock --port b=/tmp/b.sock --workers 1 --poll busy \
          --control-socket /tmp/control.sock &
  switch-bench run --socket /tmp/a.sock --socket /tmp/b.sock --cpu 0 \
               --probe switchd:/tmp/control.sock
  switch-bench run --socket /tmp/a.sock --socket /tmp/b.sock --mode touch --macs-per-port 256 \
               --frame-size 1518 --shape indirect3 --probe none --json result.json

Reading the result:
  cycles a frame   TSC cycles of whole turns of the switch that moved a frame, over the frames it
                   received; only with --probe
  unsaturated      the switch found nothing to do in more than 1 % of its turns: the load was too
                   slow for it, its cycles are not those of a busy switch
  round trip       a cache line from the load's CPU to the switch's and back: virtual CPUs can be
                   near or far, and every other figure follows
)";

po::options_description run_options() {
  po::options_description options("Options of run");
  options.add_options()("socket", po::value<std::vector<std::string>>()->value_name("PATH"),
                        "a port's vhost-user socket; once for each guest")(
      "listen", po::bool_switch(), "listen on the sockets: the switch connects to us")(
      "pattern", po::value<std::string>()->default_value("pair"),
      "pair, one-way, mesh, incast (all to the first), one-to-many or broadcast (by the first)")(
      "frame-size", po::value<uint32_t>()->default_value(64)->value_name("BYTES"),
      "64 to 9018, as on a wire: with the FCS's 4 bytes, which a guest does not send")(
      "segment", po::value<uint16_t>()->default_value(0)->value_name("BYTES"),
      "frames are TCP/IPv4 segments, up to 65553 bytes, that may pass whole or be cut into pieces "
      "with so many bytes each, as Linux sends them; needs checksum and segmentation offloads of "
      "the switch; only with rings, and frame-size is theirs")(
      "macs-per-port", po::value<unsigned>()->default_value(1)->value_name("N"),
      "addresses of each guest, 1 to 8192; with rings, no more than the ring has slots show")(
      "mode", po::value<std::string>()->default_value("rings"),
      "rings: guests only turn their rings, frames stay as they are; touch: they write each "
      "frame's head and descriptor and read and check each one received, as a driver does")(
      "shape", po::value<std::string>()->default_value("direct"),
      "descriptors of a frame: direct (one) or indirect3 (a table of three)")(
      "ring", po::value<std::string>()->default_value("split"),
      "format of the rings: split, or packed, which the ports must be set to offer")(
      "buffers", po::value<std::string>()->default_value("in-order"),
      "where a ring's buffers lie in memory: in-order (one after the other) or scattered (as an "
      "allocator in use hands them out: the CPU's prefetchers cannot follow the ring)")(
      "ring-size", po::value<uint16_t>()->default_value(256), "entries of each ring")(
      "receive-buffer", po::value<uint32_t>()->default_value(2048)->value_name("BYTES"),
      "size of a receive buffer; larger frames are merged over several (touch)")(
      "seconds", po::value<double>()->default_value(3), "length of the measured window")(
      "warm-up", po::value<double>()->default_value(1), "seconds of traffic before it")(
      "hugepages", po::bool_switch(), "guests' memory in hugepages of 2 MB")(
      "probe", po::value<std::string>()->default_value("none"),
      "who to ask for cycles: none, switchd:CONTROLSOCKET, ovs:CTLSOCKET, vpp:CLISOCKET")(
      "vppctl", po::value<std::string>()->default_value("vppctl"), "that program, for VPP");
  return options;
}

po::options_description live_options() {
  po::options_description options("Options of live");
  options.add_options()("control-socket", po::value<std::string>()->value_name("PATH"),
                        "of the running switchd; default: where switchd puts it for this user");
  return options;
}

po::options_description common_options() {
  po::options_description options("Options of both");
  options.add_options()("cpu", po::value<int>()->value_name("N"),
                        "of the load; default: the first allowed one that is not the switch's")(
      "switch-cpu", po::value<int>()->value_name("N"),
      "of the switch, for the round trip; asked of switchd when not given")(
      "json", po::value<std::string>()->value_name("FILE"), "write the result there as well")(
      "help,h", "this text");
  return options;
}

template <typename T>
T one_of(const po::variables_map& values, const char* option,
         const std::map<std::string, T>& names) {
  const auto found = names.find(values[option].as<std::string>());
  if (found != names.end()) return found->second;
  std::string all;
  for (const auto& [name, value] : names) all += " " + name;
  throw BenchError(std::string("--") + option + " " + values[option].as<std::string>() +
                   ": one of" + all);
}

template <typename T>
T within(const po::variables_map& values, const char* option, T least, T most) {
  const T value = values[option].as<T>();
  if (value >= least && value <= most) return value;
  std::ostringstream text;
  text << "--" << option << " " << value << ": from " << least << " to " << most;
  throw BenchError(text.str());
}

void fill_traffic(const po::variables_map& values, TrafficOptions& traffic) {
  if (values.count("socket") != 0) {
    traffic.sockets = values["socket"].as<std::vector<std::string>>();
  }
  traffic.listen = values["listen"].as<bool>();
  traffic.pattern = pattern_of(values["pattern"].as<std::string>());
  traffic.gso_size = values["segment"].as<uint16_t>();
  traffic.frame_size = within(values, "frame-size", kSmallestFrame,
                              traffic.gso_size != 0 ? kLargestSegment : kLargestFrame);
  traffic.macs_per_port = static_cast<uint16_t>(within(values, "macs-per-port", 1u, kMostMacs));
  traffic.mode = one_of<Mode>(values, "mode", {{"rings", Mode::rings}, {"touch", Mode::touch}});
  if (traffic.gso_size != 0 && traffic.mode != Mode::rings) {
    throw BenchError("--segment: needs --mode rings");
  }
  traffic.shape = one_of<frontend::StreamShape>(
      values, "shape",
      {{"direct", frontend::StreamShape::direct}, {"indirect3", frontend::StreamShape::indirect3}});
  traffic.packed = one_of<bool>(values, "ring", {{"split", false}, {"packed", true}});
  traffic.scattered = one_of<bool>(values, "buffers", {{"in-order", false}, {"scattered", true}});
  traffic.ring_size = values["ring-size"].as<uint16_t>();
  traffic.receive_buffer = within(values, "receive-buffer", 64u, 65'536u);
  traffic.hugepages = values["hugepages"].as<bool>();
}

void fill_common(const po::variables_map& values, CommandLine& line) {
  MeasurementOptions& measurement = line.measurement;
  if (values.count("switch-cpu") != 0) measurement.switch_cpu = values["switch-cpu"].as<int>();
  if (values.count("json") != 0) line.json_file = values["json"].as<std::string>();
  measurement.traffic.cpu = -1;
  if (values.count("cpu") != 0) measurement.traffic.cpu = values["cpu"].as<int>();
}

void fill_run(const po::variables_map& values, CommandLine& line) {
  fill_traffic(values, line.measurement.traffic);
  line.measurement.seconds = within(values, "seconds", 0.05, 3600.0);
  line.measurement.warm_up = within(values, "warm-up", 0.0, 600.0);
  line.probe = values["probe"].as<std::string>();
  line.vppctl = values["vppctl"].as<std::string>();
  // Says at once what is wrong with the sockets.
  destinations_of(line.measurement.traffic.pattern, 0,
                  static_cast<uint16_t>(line.measurement.traffic.sockets.size()));
}

std::string help_text() {
  std::ostringstream text;
  text << kIntroduction << '\n'
       << run_options() << '\n'
       << live_options() << '\n'
       << common_options();
  return text.str();
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  line.help = help_text();
  const std::string command = argc > 1 ? argv[1] : "--help";
  if (command == "--help" || command == "-h" || command == "help") return line;
  if (command != "run" && command != "live") {
    throw BenchError("there is no command '" + command + "'; there are run and live (--help)");
  }
  po::options_description options;
  options.add(command == "run" ? run_options() : live_options()).add(common_options());
  po::variables_map values;
  po::store(po::parse_command_line(argc - 1, argv + 1, options), values);
  if (values.count("help") != 0) return line;
  fill_common(values, line);
  if (command == "run") {
    line.command = CommandLine::Command::run;
    fill_run(values, line);
    return line;
  }
  line.command = CommandLine::Command::live;
  line.control_socket = values.count("control-socket") != 0
                            ? values["control-socket"].as<std::string>()
                            : client::control_socket().string();
  return line;
}

}  // namespace bench
