// What the switch does with a frame by its addresses and length.
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

TEST(Forwarding, UnknownAndMulticastGoEverywhereButBack) {
  Net net(4);
  net.crowd.announce();
  for (unsigned i = 0; i < 100; ++i) {
    net.crowd.flood(1, kUnknownAddress, 60 + i, {0, 2, 3});
  }
  for (unsigned i = 0; i < 50; ++i) {
    net.crowd.flood(2, kMulticastAddress, 600 + i, {0, 1, 3});
  }
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p1", "flooded"), 101u);
  EXPECT_EQ(books.ingress("p1", "unicast"), 100u);
  EXPECT_EQ(books.ingress("p2", "multicast"), 50u);
  EXPECT_EQ(books.egress("p0", "multicast"), 50u);
}

TEST(Forwarding, ToAPortIsLearnedByItsFirstFrame) {
  Net net(3);
  net.crowd.flood(0, frontend::guest_mac(1, 0), 60, {1, 2});  // nobody knows it yet
  net.crowd.flood(1, frontend::kBroadcastAddress, 60, {0, 2});
  net.crowd.settle();
  net.crowd.send(0, 1, 60);
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p0", "flooded"), 1u);
  EXPECT_EQ(books.ingress("p0", "forwarded"), 1u);
  EXPECT_EQ(books.learning("p0", "learned"), 1u);
}

TEST(Forwarding, LinkLocalGroupsAreConsumed) {
  Net net(2);
  for (uint64_t last = 0; last < 16; ++last) {
    net.crowd.send_raw(
        0, frame_between(kLinkLocalAddress | last << 40, frontend::guest_mac(0, 0), 60));
  }
  net.crowd.flood(0, kLinkLocalAddress | 0x10ull << 40, 60, {1});  // the first one beyond them
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p0", "consumed"), 16u);
  EXPECT_EQ(books.ingress("p0", "flooded"), 1u);
}

TEST(Forwarding, RuntsAreDroppedByName) {
  Net net(2);
  net.crowd.announce();
  const auto shapes = chain_shapes(12, true);
  for (uint32_t size = 0; size < 14; ++size) {
    for (const NamedShape& each : shapes) {
      net.crowd.send_raw(
          0, frame_between(frontend::guest_mac(1, 0), frontend::guest_mac(0, 0), size), each.shape);
    }
  }
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p0", "drop_runt"), 14 * shapes.size());
  EXPECT_EQ(books.egress("p1", "attempted"), 1u);
}

TEST(Forwarding, OverLongFramesAreDroppedByName) {
  constexpr uint32_t kLongest = 9234;  // 9216 behind an Ethernet header and a VLAN tag
  Net net(0, {"--port", "p0", "--port", "roomy"});
  frontend::GuestOptions options;
  options.socket = net.process.socket("p0");
  options.max_frame = 60'000;
  net.crowd.add("p0", options);
  Driver roomy = drivers().front();
  roomy.buffers = {16'384};
  net.add("roomy", roomy);
  net.crowd.announce();
  net.crowd.send(0, 1, kLongest);
  const auto shapes = chain_shapes(12, true);
  for (const uint32_t size : {kLongest + 1, kLongest + 2, 16'384u, 60'000u}) {
    for (const NamedShape& each : shapes) {
      net.crowd.send_raw(
          0, frame_between(frontend::guest_mac(1, 0), frontend::guest_mac(0, 0), size), each.shape);
      net.crowd.at(0).sent_bytes -= size;  // a length that is only claimed is not counted
    }
  }
  net.crowd.send(0, 1, kLongest);
  net.crowd.settle_whole();
  const Books books = balanced_books(net.process, net.crowd);
  EXPECT_EQ(books.ingress("p0", "drop_oversize"), 4 * shapes.size());
  EXPECT_EQ(net.crowd.pair(0, 1).received, 3u);
  EXPECT_THAT(net.crowd.problems(), testing::IsEmpty());
}

TEST(Forwarding, SourcesThatAreNobodysAreDropped) {
  Net net(2);
  net.crowd.announce();
  for (const uint64_t source : {uint64_t{0}, kMulticastAddress, frontend::kBroadcastAddress}) {
    net.crowd.send_raw(0, frame_between(frontend::guest_mac(1, 0), source, 60));
  }
  net.crowd.send_raw(0, frame_between(frontend::guest_mac(0, 0), frontend::guest_mac(0, 0), 60));
  const Books books = expect_whole(net);
  EXPECT_EQ(books.ingress("p0", "drop_bad_source"), 3u);
  EXPECT_EQ(books.ingress("p0", "drop_same_port"), 1u);
}

TEST(Forwarding, FramesToAPortWithoutGuestAreCounted) {
  Net net(1, {"--port", "empty"});
  net.crowd.flood(0, frontend::kBroadcastAddress, 60, {});
  const Books books = expect_whole(net);
  EXPECT_EQ(books.egress("empty", "drop_no_guest"), 1u);
}

TEST(Forwarding, NobodyToFloodTo) {
  Net net(1);
  net.crowd.flood(0, frontend::kBroadcastAddress, 60, {});
  EXPECT_EQ(expect_whole(net).ingress("p0", "drop_no_receiver"), 1u);
}

// p0 is the router, p1 and p2 its clients.
class Isolation : public testing::Test {
 protected:
  Net net_{3, {"--isolated", "p1", "--isolated", "p2"}};
};

TEST_F(Isolation, FloodsReachTheRouterOnly) {
  for (const uint64_t to : {frontend::kBroadcastAddress, kMulticastAddress, kUnknownAddress}) {
    for (unsigned i = 0; i < 20; ++i) {
      net_.crowd.flood(1, to, 60 + i, {0});
      net_.crowd.flood(2, to, 60 + i, {0});
      net_.crowd.flood(0, to, 60 + i, {1, 2});
    }
  }
  const Books books = expect_whole(net_);
  EXPECT_EQ(books.egress("p0", "frames"), 120u);
  EXPECT_EQ(books.egress("p1", "frames"), 60u);
}

TEST_F(Isolation, ClientsDoNotReachEachOtherByAddress) {
  net_.crowd.flood(0, frontend::kBroadcastAddress, 60, {1, 2});
  net_.crowd.flood(1, frontend::kBroadcastAddress, 60, {0});
  net_.crowd.flood(2, frontend::kBroadcastAddress, 60, {0});
  net_.crowd.settle();
  for (unsigned i = 0; i < 20; ++i) {
    net_.crowd.send(1, 0, 60 + i);
    net_.crowd.send(0, 1, 60 + i);
    net_.crowd.send_raw(1, frame_between(frontend::guest_mac(2, 0), frontend::guest_mac(1, 0), 60));
  }
  const Books books = expect_whole(net_);
  EXPECT_EQ(books.ingress("p1", "drop_isolated"), 20u);
  EXPECT_EQ(books.egress("p2", "attempted"), 1u);
}

TEST_F(Isolation, AClientCannotTakeTheRoutersAddress) {
  net_.crowd.flood(0, frontend::kBroadcastAddress, 60, {1, 2});
  net_.crowd.flood(2, frontend::kBroadcastAddress, 60, {0});
  net_.crowd.settle();
  net_.crowd.send_raw(1, frame_between(frontend::kBroadcastAddress, frontend::guest_mac(0, 0), 60));
  net_.crowd.settle();
  net_.crowd.send(2, 0, 60);
  EXPECT_EQ(expect_whole(net_).ingress("p1", "drop_protected_source"), 1u);
}

}  // namespace
}  // namespace testbed
