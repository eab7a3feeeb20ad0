#include "bench/traffic.h"

#include <algorithm>
#include <chrono>

#include "bench/cpu.h"
#include "bench/error.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kFcs = 4;
constexpr std::chrono::seconds kDrainTime{10};
constexpr std::chrono::milliseconds kQuiet{50};

std::size_t memory_for(const TrafficOptions& options, uint32_t receive_buffer) {
  const std::size_t buffers = options.frame_size + receive_buffer + 512;
  return (1u << 20) + std::size_t{options.ring_size} * buffers;
}

uint32_t receive_buffer_for(const TrafficOptions& options) {
  if (options.mode == Mode::touch) return options.receive_buffer;
  return std::max(options.receive_buffer, options.frame_size + frontend::kLongHeader);
}

}  // namespace

Traffic::Traffic(const TrafficOptions& options) : options_(options) {
  for (uint16_t i = 0; i < options_.sockets.size(); ++i) add_station(i);
  for (auto& station : stations_) station->receive->turn_rings();  // posts the buffers
  aim(false);
}

Traffic::~Traffic() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Traffic::add_station(uint16_t index) {
  const auto guests = static_cast<uint16_t>(options_.sockets.size());
  const uint32_t receive_buffer = receive_buffer_for(options_);
  frontend::GuestOptions wanted;
  wanted.socket = options_.sockets[index];
  wanted.listen = options_.listen;
  wanted.packed = options_.packed;
  wanted.transmit_size = wanted.receive_size = options_.ring_size;
  wanted.memory.regions = {memory_for(options_, receive_buffer)};
  wanted.memory.hugepages = options_.hugepages;
  if (options_.gso_size != 0) {
    wanted.required_features = frontend::feature::kCsum | frontend::feature::kHostTso4 |
                               frontend::feature::kGuestCsum | frontend::feature::kGuestTso4;
    wanted.features |= wanted.required_features;
  }
  auto station = std::make_unique<Station>(wanted);
  frontend::Guest& guest = station->guest;
  guest.start();

  const bool indirect = options_.shape == frontend::StreamShape::indirect3;
  if (indirect && (guest.features() & frontend::feature::kIndirect) == 0) {
    throw BenchError(wanted.socket + ": the switch offers no indirect descriptors");
  }
  frontend::TransmitStreamOptions transmit{guest.header_size(), options_.frame_size - kFcs,
                                           options_.shape, options_.scattered, options_.gso_size};
  frontend::ReceiveStreamOptions receive{index,
                                         guests,
                                         guest.header_size(),
                                         receive_buffer,
                                         guest.mergeable(),
                                         indirect,
                                         options_.scattered};
  station->transmit =
      std::make_unique<frontend::TransmitStream>(guest.transmit_ring(), guest.memory(), transmit);
  station->receive =
      std::make_unique<frontend::ReceiveStream>(guest.receive_ring(), guest.memory(), receive);
  stations_.push_back(std::move(station));
}

void Traffic::aim(bool broadcast) {
  const auto guests = static_cast<uint16_t>(stations_.size());
  for (uint16_t i = 0; i < guests; ++i) {
    frontend::TrafficPlan plan;
    plan.guest = i;
    plan.macs_per_guest = options_.macs_per_port;
    plan.destinations = broadcast ? std::vector<uint16_t>{frontend::kFlood}
                                  : destinations_of(options_.pattern, i, guests);
    stations_[i]->transmit->aim(plan);
    stations_[i]->receive->forget_order();
  }
}

void Traffic::announce() {
  aim(true);
  for (auto& station : stations_) {
    const auto deadline = Clock::now() + kDrainTime;
    for (uint32_t sent = 0; sent < options_.macs_per_port;) {
      sent += station->transmit->send(options_.macs_per_port - sent);
      receive_all();
      if (Clock::now() > deadline) {
        throw BenchError(station->guest.options().socket + ": the switch takes no frames");
      }
    }
  }
  drain();
  aim(false);
  before_ = count();
}

void Traffic::resume() {
  stop_ = false;
  thread_ = std::thread([this] { run(); });
}

void Traffic::run() {
  pin_to(options_.cpu);
  while (!stop_.load(std::memory_order_relaxed)) {
    for (int i = 0; i < 16; ++i) turn();
    if (snapshot_wanted_.load(std::memory_order_relaxed)) {
      snapshot_ = count();
      snapshot_wanted_.store(false, std::memory_order_release);
    }
  }
}

// Receivers first: what is sent then finds the buffers that they have just posted.
void Traffic::turn() {
  receive_all();
  for (auto& station : stations_) {
    options_.mode == Mode::rings ? station->transmit->turn_rings()
                                 : station->transmit->turn_touch();
  }
}

bool Traffic::receive_all() {
  uint32_t frames = 0;
  for (auto& station : stations_) {
    frames += options_.mode == Mode::rings ? station->receive->turn_rings()
                                           : station->receive->turn_touch();
  }
  return frames != 0;
}

void Traffic::drain() {
  const auto deadline = Clock::now() + kDrainTime;
  for (bool in_flight = true; in_flight;) {
    in_flight = false;
    for (auto& station : stations_) in_flight |= station->transmit->drain() != 0;
    receive_all();
    if (Clock::now() > deadline) throw BenchError("the switch no longer takes frames");
  }
  auto quiet_since = Clock::now();
  while (Clock::now() - quiet_since < kQuiet) {
    if (receive_all()) quiet_since = Clock::now();
  }
}

void Traffic::pause() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  drain();
}

TrafficCounts Traffic::count() const {
  TrafficCounts counts;
  counts.tsc = tsc();
  for (const auto& station : stations_) {
    const frontend::ReceiveCounts& received = station->receive->counts();
    counts.sent += station->transmit->returned();
    counts.delivered += received.frames;
    counts.wrong += received.wrong;
    counts.misordered += received.misordered;
    counts.bad_headers += received.bad_headers;
    counts.protocol_errors += received.protocol_errors + station->transmit->protocol_errors();
  }
  counts.sent -= before_.sent;
  counts.delivered -= before_.delivered;
  counts.wrong -= before_.wrong;
  counts.misordered -= before_.misordered;
  counts.bad_headers -= before_.bad_headers;
  return counts;
}

TrafficCounts Traffic::snapshot() {
  if (!thread_.joinable() || stop_) return count();
  snapshot_wanted_ = true;
  while (snapshot_wanted_.load(std::memory_order_acquire)) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return snapshot_;
}

Traffic::Audit Traffic::audit() const {
  Audit sum;
  for (const auto& station : stations_) {
    uint32_t looked_at = 0;
    sum.wrong += station->receive->audit(looked_at);
    sum.looked_at += looked_at;
  }
  return sum;
}

}  // namespace bench
