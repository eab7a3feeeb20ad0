#include "control/events.h"

#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

namespace control {
namespace {

using Kind = datapath::Event::Kind;

// ISO 8601 in UTC with milliseconds.
std::string now() {
  using namespace std::chrono;
  const auto time = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(time);
  const auto milliseconds =
      duration_cast<std::chrono::milliseconds>(time.time_since_epoch()) % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%FT%T", &utc);
  std::string stamp(text.data(), length);
  const std::string fraction = std::to_string(1000 + milliseconds.count());
  return stamp + "." + fraction.substr(1) + "Z";
}

spdlog::level::level_enum level(Kind kind) {
  switch (kind) {
    case Kind::port_faulted:
    case Kind::vmm_refused:
      return spdlog::level::warn;
    case Kind::mac_moved:
      return spdlog::level::debug;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

std::string_view event_name(Kind kind) {
  switch (kind) {
    case Kind::port_added:
      return "port_added";
    case Kind::port_removed:
      return "port_removed";
    case Kind::vmm_connected:
      return "vmm_connected";
    case Kind::vmm_disconnected:
      return "vmm_disconnected";
    case Kind::vmm_refused:
      return "vmm_refused";
    case Kind::guest_attached:
      return "guest_attached";
    case Kind::guest_detached:
      return "guest_detached";
    case Kind::port_faulted:
      return "port_faulted";
    case Kind::mac_moved:
      return "mac_moved";
  }
  return "unknown";
}

nlohmann::json event_json(const datapath::Event& event) {
  return {{"kind", event_name(event.kind)},
          {"port", event.port},
          {"detail", event.detail},
          {"time", now()}};
}

void log_event(const datapath::Event& event) {
  spdlog::log(level(event.kind), "port {}: {}{}{}", event.port, event_name(event.kind),
              event.detail.empty() ? "" : ": ", event.detail);
}

}  // namespace control
