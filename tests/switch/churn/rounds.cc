// In rounds: see churn.h.
#include "churn/crew.h"

namespace testbed {
namespace {

constexpr unsigned kShownRounds = 100;

enum class Farewell { driver_reset, hang_up, amid_traffic, rings_stay };
constexpr unsigned kFarewells = 4;

class Rounds {
 public:
  Rounds(uint64_t seed, std::ostream& progress)
      : progress_(progress),
        process_(port_arguments(kCrew)),
        crew_(process_, seed, [](uint16_t) { return frontend::GuestOptions(); }) {}

  ChurnResult run(unsigned rounds) {
    ChurnResult result;
    everybody_comes_and_goes();
    result.before = settled_facts(process_, facts_of(process_.pid()));
    result.files_before = files_of(process_);
    while (crew_.present().size() < kCrew / 2) come(crew_.one_of(crew_.absent()));
    for (unsigned i = 1; i <= rounds && crew_.crowd().problems().empty(); ++i) {
      round();
      if (i % kShownRounds == 0) progress_ << i << " of " << rounds << " rounds" << std::endl;
    }
    for (const uint16_t station : crew_.present()) leave(station, Farewell::hang_up);
    await_nobody();
    result.after = settled_facts(process_, result.before);
    result.files_after = files_of(process_);
    result.frames = crew_.frames();
    result.problems = crew_.crowd().problems();
    return result;
  }

 private:
  // What is allocated once only is there afterwards.
  void everybody_comes_and_goes() {
    for (unsigned i = 0; i < kFarewells; ++i) {
      for (const uint16_t station : crew_.absent()) come(station);
      for (uint16_t station = 0; station < kCrew; ++station) {
        leave(station, static_cast<Farewell>((station + i) % kFarewells));
      }
    }
    await_nobody();
  }

  void round() {
    come(crew_.one_of(crew_.absent()));
    leave(crew_.one_of(crew_.present()), static_cast<Farewell>(crew_.some(kFarewells)));
  }

  void come(uint16_t station) {
    crew_.crowd().start(station);
    crew_.exchange(station);
  }

  // What is in the rings of a VM is the switch's until it has noticed that the VM is gone.
  void leave(uint16_t station, Farewell farewell) {
    frontend::Guest& leaving = crew_.crowd().at(station).guest;
    if (farewell == Farewell::amid_traffic) crew_.hurry();
    if (farewell == Farewell::driver_reset) leaving.stop();
    leaving.disconnect();
    const bool noticed = farewell == Farewell::amid_traffic || farewell == Farewell::rings_stay;
    if (noticed) await_detached(station);
    if (farewell != Farewell::rings_stay) crew_.crowd().replace(station);
    crew_.calm();
  }

  // The VMM is known to be gone a moment before its rings are let go.
  void await_detached(uint16_t station) {
    process_.await_state(port_name(station), "listening");
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (process_.port(port_name(station)).at("features") != "0x0") {
      if (std::chrono::steady_clock::now() > deadline) throw TestbedError("a guest stays attached");
    }
  }

  void await_nobody() {
    for (uint16_t i = 0; i < kCrew; ++i) await_detached(i);
  }

  std::ostream& progress_;
  SwitchProcess process_;
  Crew crew_;
};

}  // namespace

bool ChurnResult::nothing_left() const {
  return before.descriptors == after.descriptors && before.threads == after.threads &&
         files_before == files_after;
}

int64_t ChurnResult::grown_kib() const {
  return static_cast<int64_t>(after.own_kib()) - static_cast<int64_t>(before.own_kib());
}

ChurnResult churn_guests(const ChurnOptions& options, std::ostream& progress) {
  return Rounds(options.seed, progress).run(options.rounds);
}

}  // namespace testbed
