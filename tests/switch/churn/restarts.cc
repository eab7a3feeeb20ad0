// Restarts: see churn.h.
#include <algorithm>

#include "churn/crew.h"

namespace testbed {
namespace {

using frontend::MessageOrder;
using frontend::RingBase;

constexpr unsigned kShownRestarts = 20;

bool is_client(uint16_t port) {
  return port % 2 == 1;
}

std::vector<std::string> arguments() {
  std::vector<std::string> words = port_arguments(kCrew);
  for (uint16_t i = 0; i < kCrew; ++i) {
    if (!is_client(i)) continue;
    words.push_back("--mode");
    words.push_back(port_name(i) + "=client");
  }
  return words;
}

frontend::GuestOptions options_of(uint16_t port) {
  frontend::GuestOptions options;
  options.listen = is_client(port);
  const bool qemu = port < kCrew / 2;
  options.order = qemu ? MessageOrder::qemu : MessageOrder::cloud_hypervisor;
  options.base = qemu ? RingBase::used_index : RingBase::available_index;
  return options;
}

class Restarts {
 public:
  Restarts(uint64_t seed, std::ostream& progress)
      : progress_(progress), process_(arguments()), crew_(process_, seed, options_of) {}

  ChurnResult run(unsigned restarts) {
    ChurnResult result;
    everybody_speaks();
    result.before = settled_facts(process_, facts_of(process_.pid()));
    result.files_before = files_of(process_);
    for (unsigned i = 1; i <= restarts && crew_.crowd().problems().empty(); ++i) {
      restart(i % 2 == 0);
      everybody_speaks();
      if (i % kShownRestarts == 0) progress_ << i << " of " << restarts << " restarts" << std::endl;
    }
    result.after = settled_facts(process_, result.before);
    result.files_after = files_of(process_);
    result.frames = crew_.frames();
    result.problems = crew_.crowd().problems();
    return result;
  }

 private:
  void restart(bool killed) {
    crew_.hurry();
    if (killed) {
      process_.kill();
    } else if (const int status = process_.stop(); status != 0) {
      crew_.crowd().problem("switchd ended with status " + std::to_string(status));
    }
    crew_.crowd().expect_repeats(killed);
    crew_.crowd().expect_strays(true);
    process_.start();
    std::vector<uint16_t> order = crew_.present();
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[crew_.some(static_cast<unsigned>(i))]);
    }
    for (const uint16_t station : order) crew_.crowd().reconnect(station);
    crew_.calm();
    crew_.crowd().expect_repeats(false);
    crew_.crowd().expect_strays(false);
  }

  // Every ring turns, or this throws.
  void everybody_speaks() {
    crew_.crowd().announce();
    for (uint16_t station = 0; station < kCrew; ++station) crew_.exchange(station);
  }

  std::ostream& progress_;
  SwitchProcess process_;
  Crew crew_;
};

}  // namespace

ChurnResult churn_switch(const ChurnOptions& options, std::ostream& progress) {
  return Restarts(options.seed, progress).run(options.restarts);
}

}  // namespace testbed
