// What the switch remembers of addresses, and for how long.
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

std::string port_of(Net& net, const std::string& address) {
  const nlohmann::json list = net.process.call("mac.list");
  for (const nlohmann::json& mac : list.at("macs")) {
    if (mac.at("address") == address) return mac.at("port").get<std::string>();
  }
  return {};
}

TEST(Learning, AddressesAge) {
  Net net(3, {"--mac-ageing-s", "1"});
  net.crowd.announce();
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!net.process.call("mac.list").at("macs").empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "addresses do not age";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  net.crowd.flood(0, frontend::guest_mac(1, 0), 60, {1, 2});  // unknown again
  EXPECT_EQ(expect_whole(net).ingress("p0", "flooded"), 2u);
}

TEST(Learning, AnAddressMovesToWhereItIsSeen) {
  Net net(3);
  net.crowd.announce();
  EXPECT_EQ(port_of(net, "02:00:00:01:00:00"), "p1");
  net.crowd.send_raw(2, frame_between(kLinkLocalAddress, frontend::guest_mac(1, 0), 60));
  net.crowd.settle();
  EXPECT_EQ(port_of(net, "02:00:00:01:00:00"), "p2");
  const auto frame = frame_between(frontend::guest_mac(1, 0), frontend::guest_mac(0, 0), 100);
  net.crowd.at(2).receives = false;
  net.crowd.send_raw(0, frame);
  const auto received = net.crowd.at(2).guest.receive_within(kDeadline);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->bytes, frame);
  EXPECT_EQ(read_books(net.process).learning("p2", "moved"), 1u);
  EXPECT_EQ(read_books(net.process).egress("p1", "attempted"), 2u);  // the announcements
}

TEST(Learning, AStaticAddressStays) {
  Net net(2);
  net.process.call("mac.add", {{"address", "02:00:00:01:00:00"}, {"port", "p1"}});
  net.crowd.send(0, 1, 60);  // known before it said anything
  net.crowd.send_raw(0, frame_between(kLinkLocalAddress, frontend::guest_mac(1, 0), 60));
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p0", "forwarded"), 1u);
  EXPECT_EQ(books.ingress("p0", "drop_static_elsewhere"), 1u);
  EXPECT_EQ(port_of(net, "02:00:00:01:00:00"), "p1");
}

TEST(Learning, BeyondTheLimitFramesAreForwardedAndCounted) {
  Net net(2, {"--mac-limit", "p0=4"});
  net.crowd.at(0).macs = 16;
  net.crowd.announce();
  for (unsigned i = 0; i < 160; ++i) net.crowd.send(0, 1, 60 + i);
  const Books books = expect_whole(net);
  EXPECT_EQ(books.learning("p0", "learned"), 4u);
  EXPECT_GT(books.learning("p0", "mac_limited"), 0u);
  EXPECT_EQ(net.process.port("p0").at("macs"), 4);
}

TEST(Learning, FlushedAddressesAreLearnedAnew) {
  Net net(2);
  net.crowd.announce();
  EXPECT_EQ(net.process.call("mac.flush", {{"port", "p1"}}).at("flushed"), 1);
  net.crowd.send(1, 0, 60);
  expect_whole(net);
  EXPECT_EQ(port_of(net, "02:00:00:01:00:00"), "p1");
}

}  // namespace
}  // namespace testbed
