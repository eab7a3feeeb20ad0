#include "vmm/qemu/events.h"

namespace launcher::qemu {

using nlohmann::json;

namespace {

// Everything here is the VMM's word: of any type, or not there.
std::string text_of(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

}  // namespace

std::vector<VmmEvent> to_events(const json& event) {
  const std::string name = text_of(event, "event");
  const auto found = event.find("data");
  const json data = found != event.end() && found->is_object() ? *found : json::object();
  const std::string reason = text_of(data, "reason");
  const std::string detail = reason.empty() ? name : name + ' ' + reason;
  using Kind = VmmEvent::Kind;
  if (name == "RESET") return {{Kind::rebooting, detail}, {Kind::booted, detail}};
  if (name == "SHUTDOWN") return {{Kind::shut_down, detail}};
  if (name == "GUEST_PANICKED") return {{Kind::panicked, name + ' ' + text_of(data, "action")}};
  if (name == "DEVICE_DELETED") {
    const std::string device = text_of(data, "device");
    if (!device.empty()) return {{Kind::device_removed, device}};
  }
  return {{Kind::other, detail}};
}

}  // namespace launcher::qemu
