#include "bench/ovs_probe.h"

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>

#include "bench/error.h"
#include "frontend/connection.h"

namespace bench {
namespace {

constexpr std::chrono::seconds kPatience{2};

// Sum of the numbers behind `label` in all sections but the main thread's, which polls nothing.
uint64_t sum_of(const std::string& text, const std::string& label) {
  const std::regex pattern("(main thread)|(pmd thread)|" + label + R"(:\s+(\d+))");
  uint64_t sum = 0;
  bool in_pmd = false;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    if ((*it)[1].matched) in_pmd = false;
    if ((*it)[2].matched) in_pmd = true;
    if ((*it)[3].matched && in_pmd) sum += std::stoull((*it)[3].str());
  }
  return sum;
}

}  // namespace

std::string OvsProbe::ask(const std::string& method) const {
  using frontend::Connection;
  const nlohmann::json request = {
      {"id", 0}, {"method", method}, {"params", nlohmann::json::array()}};
  const std::string question = request.dump();
  Connection connection = Connection::connect(socket_, kPatience);
  connection.send_raw(std::as_bytes(std::span(question)));
  std::string text;
  std::array<char, 4096> part;
  while (!nlohmann::json::accept(text)) {  // answers end where their JSON does
    const ssize_t got = recv(connection.descriptor(), part.data(), part.size(), 0);
    if (got <= 0) throw BenchError(socket_ + ": Open vSwitch closed its control socket");
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  const nlohmann::json answer = nlohmann::json::parse(text);
  if (!answer.is_object() || !answer.at("error").is_null()) {
    throw BenchError(socket_ + ": " + method + ": " + text);
  }
  return answer.at("result").get<std::string>();
}

void OvsProbe::start() {
  ask("dpif-netdev/pmd-stats-clear");
}

ProbeResult OvsProbe::stop() {
  const std::string stats = ask("dpif-netdev/pmd-stats-show");
  return parse(stats, ask("dpif-netdev/pmd-perf-show"));
}

ProbeResult OvsProbe::parse(const std::string& stats, const std::string& perf) {
  ProbeResult result;
  result.frames = sum_of(stats, "packets received");
  result.busy_cycles = static_cast<double>(sum_of(stats, "processing cycles"));
  const uint64_t idle = sum_of(perf, "idle iterations");
  const uint64_t all = idle + sum_of(perf, "busy iterations");
  if (all != 0) result.idle_turns = static_cast<double>(idle) / static_cast<double>(all);
  result.raw = {{"stats", stats}, {"perf", perf}};
  return result;
}

}  // namespace bench
