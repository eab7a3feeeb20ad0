#include "bench/vpp_probe.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "bench/command.h"
#include "bench/error.h"

namespace bench {
namespace {

struct Node {
  std::string name;
  double calls = 0;
  double vectors = 0;
  double clocks = 0;
};

// "name  state  calls  vectors  suspends  clocks  vectors/call"; the state may be two words. False
// for every other line.
bool parse_node(const std::string& line, Node& node) {
  std::istringstream words(line);
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  if (all.size() < 7) return false;
  try {
    const std::size_t last = all.size() - 1;
    std::stod(all[last]);
    node = {all[0], std::stod(all[last - 4]), std::stod(all[last - 3]), std::stod(all[last - 1])};
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

}  // namespace

std::string VppProbe::run(const std::string& first, const std::string& second) const {
  return output_of({vppctl_, "-s", socket_, first, second});
}

void VppProbe::start() {
  run("clear", "runtime");
}

ProbeResult VppProbe::stop() {
  return parse(run("show", "runtime"));
}

ProbeResult VppProbe::parse(const std::string& runtime) {
  ProbeResult result;
  double frames = 0;
  double input_calls = 0;
  double learn_calls = 0;
  bool in_worker = false;
  std::istringstream lines(runtime);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("Thread ", 0) == 0) in_worker = line.find("vpp_main") == std::string::npos;
    Node node;
    if (!in_worker || !parse_node(line, node)) continue;
    result.busy_cycles += node.clocks * (node.vectors > 0 ? node.vectors : node.calls);
    if (node.name == "l2-input") learn_calls += node.calls;
    if (node.name != "vhost-user-input") continue;
    frames += node.vectors;
    input_calls += node.calls;
  }
  if (frames == 0) throw BenchError("VPP: show runtime has no frames of vhost-user-input");
  result.frames = static_cast<uint64_t>(frames);
  // A poll that found frames is followed by a call of l2-input; the rest of them found none.
  if (input_calls > 0) result.idle_turns = std::max(0.0, 1 - learn_calls / input_calls);
  result.raw = {{"runtime", runtime}};
  return result;
}

}  // namespace bench
