#include "soak/soak.h"

#include <algorithm>
#include <chrono>
#include <iomanip>

#include "lib/shapes.h"

namespace testbed {
namespace {

constexpr uint64_t kLegFrames = 60'000;
constexpr double kProgressSeconds = 5;
constexpr const char* kDrivers[] = {"Usual",   "SmallMergeable",      "IndirectMergeable",
                                    "InOrder", "ChainedWholeBuffers", "Legacy"};
constexpr uint16_t kGuests = std::size(kDrivers);

const Driver& driver_named(const std::string& name) {
  const auto found = std::find_if(drivers().begin(), drivers().end(),
                                  [&](const Driver& driver) { return driver.name == name; });
  if (found == drivers().end()) throw TestbedError("there is no driver " + name);
  return *found;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string pair_name(uint16_t from, uint16_t to) {
  return port_name(from) + " to " + port_name(to);
}

}  // namespace

Soak::Soak(const SoakOptions& options, std::ostream& progress)
    : options_(options),
      progress_(progress),
      process_(port_arguments(kGuests)),
      random_(options.seed),
      pairs_(kGuests, std::vector<Pair>(kGuests)) {
  for (uint16_t i = 0; i < kGuests; ++i) {
    frontend::GuestOptions guest;
    guest.socket = process_.socket(port_name(i));
    driver_named(kDrivers[i]).apply(guest);
    crowd_.add(port_name(i), guest).macs = 16;
  }
  crowd_.announce();
}

bool Soak::run() {
  started_ = shown_ = now_seconds();
  last_ = snapshot(balanced_books(process_, crowd_));
  while (sent_ < options_.frames && crowd_.problems().empty()) leg(legs_++);
  return crowd_.problems().empty();
}

void Soak::leg(unsigned number) {
  const auto shift = static_cast<uint16_t>(1 + number % (kGuests - 1));
  const unsigned kind = number / (kGuests - 1) % 4;
  const Snapshot before = last_;
  if (kind == 0) {
    flood(static_cast<uint16_t>(number % kGuests));
  } else if (kind == 1) {
    overload(shift);
  } else {
    rotate(shift);
  }
  kind == 1 ? crowd_.settle() : crowd_.settle_whole();
  last_ = snapshot(balanced_books(process_, crowd_));
  if (kind != 0) hold_against(shift, before, kind == 1);
  if (kind == 1) crowd_.accept_losses();
  show_progress();
}

uint16_t Soak::partner(uint16_t from, uint16_t shift) const {
  return static_cast<uint16_t>((from + shift) % kGuests);
}

uint32_t Soak::some_size() {
  constexpr uint32_t kUsual[] = {60, 61, 64, 128, 590, 1514};
  const uint64_t dice = random_();
  if (dice % 8 == 0) return static_cast<uint32_t>(60 + (dice >> 8) % (kLargestFrame - 59));
  if (dice % 8 == 1) return static_cast<uint32_t>(60 + (dice >> 8) % 1455);
  return kUsual[(dice >> 8) % std::size(kUsual)];
}

void Soak::rotate(uint16_t shift) {
  for (uint64_t i = 0; i < kLegFrames && sent_ < options_.frames; ++i, ++sent_) {
    const auto from = static_cast<uint16_t>(i % kGuests);
    const uint32_t size = some_size();
    const bool indirect = (crowd_.at(from).guest.features() & frontend::feature::kIndirect) != 0;
    crowd_.send(from, partner(from, shift), size, random_shape(random_, size, indirect));
  }
}

// Receivers empty their rings now and then only.
void Soak::overload(uint16_t shift) {
  const auto receive = [this](bool wanted) {
    for (uint16_t i = 0; i < kGuests; ++i) crowd_.at(i).receives = wanted;
  };
  receive(false);
  for (uint64_t i = 0; i < kLegFrames && sent_ < options_.frames; ++i, ++sent_) {
    const auto from = static_cast<uint16_t>(i % kGuests);
    const uint32_t size = some_size();
    while (!crowd_.try_send(from, partner(from, shift), size, random_shape(random_, size, false))) {
      crowd_.turn();
    }
    if (random_() % 1024 != 0) continue;
    receive(true);
    crowd_.turn();
    receive(false);
  }
  receive(true);
}

void Soak::flood(uint16_t from) {
  const auto receivers = crowd_.all_but(from);
  const bool indirect = (crowd_.at(from).guest.features() & frontend::feature::kIndirect) != 0;
  for (uint64_t i = 0; i < kLegFrames / 8 && sent_ < options_.frames; ++i, ++sent_, ++flooded_) {
    const uint32_t size = some_size();
    crowd_.flood(from, frontend::kBroadcastAddress, size, receivers,
                 random_shape(random_, size, indirect));
  }
}

Soak::Snapshot Soak::snapshot(const Books& books) const {
  Snapshot now;
  now.books.resize(kGuests);
  for (uint16_t from = 0; from < kGuests; ++from) {
    for (uint16_t to = 0; to < kGuests; ++to) now.books[from].push_back(crowd_.pair(from, to));
    now.delivered.push_back(books.egress(port_name(from), "frames"));
    now.dropped.push_back(books.dropped(port_name(from), "egress"));
  }
  return now;
}

// Each receiver had one sender: what its port delivered and dropped is that pair's.
void Soak::hold_against(uint16_t shift, const Snapshot& before, bool lossy) {
  for (uint16_t from = 0; from < kGuests; ++from) {
    const uint16_t to = partner(from, shift);
    const PairBook& then = before.books[from][to];
    const PairBook& now = last_.books[from][to];
    const Pair leg{now.sent - then.sent, last_.delivered[to] - before.delivered[to],
                   now.received - then.received, last_.dropped[to] - before.dropped[to]};
    if (leg.delivered != leg.received || leg.sent != leg.delivered + leg.dropped ||
        (!lossy && leg.dropped != 0)) {
      crowd_.problem(pair_name(from, to) + ": " + std::to_string(leg.sent) + " sent, the switch " +
                     "delivered " + std::to_string(leg.delivered) + " and dropped " +
                     std::to_string(leg.dropped) + ", the guest received " +
                     std::to_string(leg.received));
    }
    Pair& sum = pairs_[from][to];
    sum.sent += leg.sent;
    sum.delivered += leg.delivered;
    sum.received += leg.received;
    sum.dropped += leg.dropped;
  }
}

void Soak::show_progress() {
  const double now = now_seconds();
  if (now - shown_ < kProgressSeconds) return;
  shown_ = now;
  progress_ << sent_ << " of " << options_.frames << " frames, "
            << static_cast<uint64_t>(static_cast<double>(sent_) / (now - started_)) << " a second"
            << std::endl;
}

void Soak::report(std::ostream& out) const {
  out << "ports      sent       delivered  received   dropped (at the receiver, overloaded legs)\n";
  for (uint16_t from = 0; from < kGuests; ++from) {
    for (uint16_t to = 0; to < kGuests; ++to) {
      if (from == to) continue;
      const Pair& pair = pairs_[from][to];
      out << std::left << port_name(from) << " to " << port_name(to) << "   " << std::setw(11)
          << pair.sent << std::setw(11) << pair.delivered << std::setw(11) << pair.received
          << pair.dropped << "\n";
    }
  }
  for (const std::string& problem : crowd_.problems()) out << "WRONG: " << problem << "\n";
  out << sent_ << " frames in " << static_cast<uint64_t>(now_seconds() - started_) << " s and "
      << legs_ << " legs (" << flooded_ << " flooded to all): "
      << (crowd_.problems().empty()
              ? "none wrong, none stuck, both sums exact, delivered as received for each pair"
              : "FAILED")
      << std::endl;
}

}  // namespace testbed
