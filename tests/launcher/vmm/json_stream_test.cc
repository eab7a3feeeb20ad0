#include "vmm/json_stream.h"

#include <gmock/gmock.h>

#include "vmm/cloud_hypervisor/events.h"
#include "vmm/qemu/events.h"

namespace launcher {
namespace {

using nlohmann::json;
using ::testing::SizeIs;
using Kind = VmmEvent::Kind;

// As cloud-hypervisor writes them: pretty-printed, an empty line behind each.
std::string monitor_says(const std::vector<json>& events) {
  std::string text;
  for (const json& event : events) text += event.dump(2) + "\n\n";
  return text;
}

const std::vector<json> cloud_events = {
    {{"timestamp", {{"secs", 0}, {"nanos", 7}}},
     {"source", "vmm"},
     {"event", "starting"},
     {"properties", nullptr}},
    {{"source", "vm"}, {"event", "booted"}, {"properties", nullptr}},
    {{"source", "vm"},
     {"event", "device-removed"},
     {"properties", {{"id", "net1"}, {"bdf", "0000:00:05.0"}}}},
    {{"source", "guest"}, {"event", "panic"}, {"properties", {{"event", "a\n\nb\\"}}}},
};

std::vector<json> fed_in_two(JsonStream stream, const std::string& text, size_t cut) {
  std::vector<json> values = stream.feed(std::string_view(text).substr(0, cut));
  for (json& value : stream.feed(std::string_view(text).substr(cut))) {
    values.push_back(std::move(value));
  }
  return values;
}

TEST(JsonStream, EventsArriveWholeWhereverTheyAreCut) {
  const std::string text = monitor_says(cloud_events);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(fed_in_two(cloud_hypervisor::event_stream(), text, cut), cloud_events) << cut;
  }
}

TEST(JsonStream, EventsArriveWholeByteByByte) {
  JsonStream stream = cloud_hypervisor::event_stream();
  std::vector<json> values;
  for (const char byte : monitor_says(cloud_events)) {
    for (json& value : stream.feed({&byte, 1})) values.push_back(std::move(value));
  }
  EXPECT_EQ(values, cloud_events);
}

TEST(JsonStream, MessagesOfQmpArriveWholeWhereverTheyAreCut) {
  const std::vector<json> messages = {{{"QMP", {{"version", {}}}}},
                                      {{"return", json::object()}, {"id", 1}},
                                      {{"event", "RESET"}, {"data", {{"guest", true}}}}};
  std::string text;
  for (const json& message : messages) text += message.dump() + "\r\n";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(fed_in_two(JsonStream("\n", 4096), text, cut), messages) << cut;
  }
}

TEST(JsonStream, WhatIsNoObjectIsCountedAndPassedOver) {
  JsonStream stream("\n", 100);
  EXPECT_THAT(stream.feed("{\"a\":1}\nnonsense\n[1]\n\xff\xfe\n{\"a\":2}\n"), SizeIs(2));
  EXPECT_EQ(stream.unreadable(), 3u);
}

TEST(JsonStream, TextLongerThanTheLimitIsNotKept) {
  for (const size_t piece : {1, 7, 4096}) {
    JsonStream stream("\n\n", 64);
    const std::string text = "{\"a\":\"" + std::string(3000, 'x') + "\"}\n\n{\"b\":1}\n\n";
    std::vector<json> values;
    for (size_t at = 0; at < text.size(); at += piece) {
      for (json& value : stream.feed(std::string_view(text).substr(at, piece))) {
        values.push_back(std::move(value));
      }
    }
    EXPECT_EQ(values, std::vector<json>{json({{"b", 1}})}) << piece;
    EXPECT_EQ(stream.unreadable(), 1u) << piece;
  }
}

TEST(Events, OfCloudHypervisorAreTheLaunchers) {
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[0]).kind, Kind::other);
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[0]).detail, "vmm starting");
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[1]).kind, Kind::booted);
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[2]).kind, Kind::device_removed);
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[2]).detail, "net1");
  EXPECT_EQ(cloud_hypervisor::to_event(cloud_events[3]).kind, Kind::panicked);
}

TEST(Events, OfQemuAreTheLaunchers) {
  const json reset = {{"event", "RESET"}, {"data", {{"guest", true}, {"reason", "guest-reset"}}}};
  const auto events = qemu::to_events(reset);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].kind, Kind::rebooting);
  EXPECT_EQ(events[1].kind, Kind::booted);
  EXPECT_EQ(events[1].detail, "RESET guest-reset");
  EXPECT_EQ(qemu::to_events({{"event", "SHUTDOWN"}}).front().kind, Kind::shut_down);
  EXPECT_EQ(qemu::to_events({{"event", "GUEST_PANICKED"}}).front().kind, Kind::panicked);
  const json deleted = {{"event", "DEVICE_DELETED"},
                        {"data", {{"device", "net1"}, {"path", "/machine/peripheral/net1"}}}};
  EXPECT_EQ(qemu::to_events(deleted).front().kind, Kind::device_removed);
  EXPECT_EQ(qemu::to_events(deleted).front().detail, "net1");
}

// A part of a device, which has no id, goes before the device does.
TEST(Events, DeletedPartIsNoDevice) {
  const json part = {{"event", "DEVICE_DELETED"},
                     {"data", {{"path", "/machine/x/virtio-backend"}}}};
  EXPECT_EQ(qemu::to_events(part).front().kind, Kind::other);
}

TEST(Events, WordsOfTheWrongKindDoNoHarm) {
  const json wrong = {{"source", 1}, {"event", {{"x", 1}}}, {"properties", "none"}, {"data", 7}};
  EXPECT_EQ(cloud_hypervisor::to_event(wrong).kind, Kind::other);
  EXPECT_EQ(qemu::to_events(wrong).front().kind, Kind::other);
}

}  // namespace
}  // namespace launcher
