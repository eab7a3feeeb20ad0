#include "vmm/cloud_hypervisor/events.h"

#include <map>

namespace launcher::cloud_hypervisor {

using nlohmann::json;

namespace {

constexpr size_t longest_event = 64 * 1024;

// Everything here is the VMM's word: of any type, or not there.
std::string text_of(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

json properties_of(const json& event) {
  const auto properties = event.find("properties");
  return properties != event.end() && properties->is_object() ? *properties : json::object();
}

VmmEvent::Kind kind_of(const std::string& name) {
  static const std::map<std::string, VmmEvent::Kind> kinds = {
      {"vm booted", VmmEvent::Kind::booted},
      {"vm rebooting", VmmEvent::Kind::rebooting},
      {"vm rebooted", VmmEvent::Kind::booted},
      {"vm shutdown", VmmEvent::Kind::shut_down},
      {"guest panic", VmmEvent::Kind::panicked},
      {"vm device-removed", VmmEvent::Kind::device_removed},
  };
  const auto kind = kinds.find(name);
  return kind != kinds.end() ? kind->second : VmmEvent::Kind::other;
}

}  // namespace

JsonStream event_stream() {
  return JsonStream("\n\n", longest_event);
}

VmmEvent to_event(const json& event) {
  VmmEvent result;
  result.detail = text_of(event, "source") + ' ' + text_of(event, "event");
  result.kind = kind_of(result.detail);
  const json properties = properties_of(event);
  if (result.kind == VmmEvent::Kind::device_removed) {
    result.detail = text_of(properties, "id");
    return result;
  }
  for (const auto& [key, value] : properties.items()) {
    if (value.is_string()) result.detail += ' ' + key + '=' + value.get<std::string>();
  }
  return result;
}

}  // namespace launcher::cloud_hypervisor
