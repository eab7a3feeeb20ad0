#include "lib/books.h"

#include <chrono>
#include <thread>

namespace testbed {
namespace {

std::string differs(const std::string& what, uint64_t switch_says, uint64_t guest_says) {
  return what + ": the switch counted " + std::to_string(switch_says) + ", the guest " +
         std::to_string(guest_says);
}

void compare(std::vector<std::string>& found, const std::string& what, uint64_t switch_says,
             uint64_t guest_says) {
  if (switch_says != guest_says) found.push_back(differs(what, switch_says, guest_says));
}

}  // namespace

const nlohmann::json& Books::of(const std::string& port) const {
  for (const nlohmann::json& each : stats_.at("ports")) {
    if (each.at("name") == port) return each;
  }
  throw TestbedError("the switch has no counters of port " + port);
}

uint64_t Books::dropped(const std::string& port, const std::string& direction) const {
  uint64_t sum = 0;
  for (const auto& [name, value] : of(port).at(direction).items()) {
    if (name.starts_with("drop_")) sum += value.get<uint64_t>();
  }
  return sum;
}

std::vector<std::string> Books::unbalanced(const std::string& port) const {
  std::vector<std::string> found;
  const uint64_t accounted = ingress(port, "forwarded") + ingress(port, "flooded") +
                             ingress(port, "consumed") + dropped(port, "ingress");
  if (ingress(port, "frames") != accounted) {
    found.push_back(port + ": ingress frames " + std::to_string(ingress(port, "frames")) +
                    ", accounted for " + std::to_string(accounted));
  }
  const uint64_t outcome = egress(port, "frames") + dropped(port, "egress");
  if (egress(port, "attempted") != outcome) {
    found.push_back(port + ": egress attempted " + std::to_string(egress(port, "attempted")) +
                    ", delivered and dropped " + std::to_string(outcome));
  }
  return found;
}

std::vector<std::string> Books::discrepancies(Crowd& crowd) const {
  std::vector<std::string> found;
  for (uint16_t i = 0; i < crowd.size(); ++i) {
    const Station& station = crowd.at(i);
    const std::string& port = station.port;
    for (std::string& each : unbalanced(port)) found.push_back(std::move(each));
    compare(found, port + ": ingress frames", ingress(port, "frames"), station.sent_frames);
    compare(found, port + ": ingress bytes", ingress(port, "bytes"), station.sent_bytes);
    compare(found, port + ": egress frames", egress(port, "frames"), crowd.received(i));
    compare(found, port + ": egress bytes", egress(port, "bytes"), station.received_bytes);
  }
  return found;
}

Books read_books(SwitchProcess& process) {
  return Books(process.call("stats.get"));
}

Books balanced_books(SwitchProcess& process, Crowd& crowd) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  for (;;) {
    Books books = read_books(process);
    const auto found = books.discrepancies(crowd);
    if (found.empty()) return books;
    if (std::chrono::steady_clock::now() > deadline) {
      for (const std::string& each : found) crowd.problem(each);
      return books;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace testbed
