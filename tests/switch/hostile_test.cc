// Guests and VMMs that break the rules while others exchange frames: the switch sends the one away
// and the others lose nothing.
#include <fcntl.h>
#include <unistd.h>

#include "lib/background_traffic.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::Descriptor;
using testing::HasSubstr;

class Hostile : public testing::Test {
 protected:
  Hostile() { net_.crowd.announce(); }

  frontend::GuestOptions villain() {
    frontend::GuestOptions options;
    options.socket = net_.process.socket("villain");
    options.memory.regions = {4u << 20, 1u << 20};
    options.memory.sealed = false;
    return options;
  }

  // The others go on, and lost nothing.
  void expect_others_untouched() {
    traffic_->await_progress();
    traffic_->stop();
    const Books books = expect_whole(net_);
    EXPECT_EQ(books.dropped("p0", "egress") + books.dropped("p1", "egress"), 0u);
  }
  void start_traffic() { traffic_.emplace(net_.crowd); }

  // And the port serves the next one.
  void expect_port_serves() {
    frontend::Guest guest(villain());
    guest.start();
    ASSERT_TRUE(guest.send(frame_between(kLinkLocalAddress, 0x0000'0000'0902, 60)));
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (guest.transmit().reclaim() == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    }
  }

  Net net_{2, {"--port", "villain"}};
  std::optional<BackgroundTraffic> traffic_;
};

TEST_F(Hostile, RingsOnTruncatedMemory) {
  start_traffic();
  frontend::Guest guest(villain());
  guest.start();
  guest.memory().truncate(0, 0);  // its rings lie there
  EXPECT_THAT(net_.process.await_state("villain", "faulted"), HasSubstr("truncated"));
  EXPECT_TRUE(guest.connection().wait_closed(kDeadline));
  expect_others_untouched();
  expect_port_serves();
}

TEST_F(Hostile, AFrameOnTruncatedMemory) {
  start_traffic();
  frontend::Guest guest(villain());
  guest.start();
  uint8_t* frame = guest.memory().allocate_in(1, 4096, 4096);
  const Descriptor link{guest.memory().guest_address(frame), 1500, 0, 0};
  for (int i = 0; i < 10; ++i) guest.transmit().post({&link, 1}, false);
  guest.memory().truncate(1, 0);
  guest.transmit().publish();
  EXPECT_THAT(net_.process.await_state("villain", "faulted"), HasSubstr("truncated"));
  expect_others_untouched();
  expect_port_serves();
}

TEST_F(Hostile, ReceiveBuffersOnTruncatedMemory) {
  frontend::Guest guest(villain());
  guest.start();
  frontend::Ring& ring = guest.receive_ring();
  uint8_t* buffer = guest.memory().allocate_in(1, 4096, 4096);
  for (uint16_t i = 0; i < 16; ++i) {
    ring.descriptors()[i] = {guest.memory().guest_address(buffer), 2048, frontend::kDescriptorWrite,
                             0};
    ring.set_available(i, i);
  }
  ring.publish(16);
  guest.await_served();
  guest.memory().truncate(1, 0);
  net_.crowd.flood(0, frontend::kBroadcastAddress, 600, {1});
  start_traffic();
  EXPECT_THAT(net_.process.await_state("villain", "faulted"), HasSubstr("truncated"));
  expect_others_untouched();
  expect_port_serves();
}

// The one system call of a worker is a write into this descriptor; it would sleep for ever.
TEST_F(Hostile, AnEventfdThatMakesTheSwitchSleep) {
  frontend::Guest guest(villain());
  guest.receive_ring().want_interrupt(true);
  guest.start();
  guest.receive();
  guest.await_served();
  const int call = guest.receive_ring().call_descriptor();
  const uint64_t full = ~uint64_t{0} - 1;
  ASSERT_EQ(write(call, &full, sizeof(full)), ssize_t{sizeof(full)});
  ASSERT_EQ(fcntl(call, F_SETFL, fcntl(call, F_GETFL) & ~O_NONBLOCK), 0);
  net_.crowd.flood(0, frontend::kBroadcastAddress, 60, {1});
  start_traffic();
  EXPECT_THAT(net_.process.await_state("villain", "faulted"), HasSubstr("eventfd"));
  EXPECT_TRUE(guest.connection().wait_closed(kDeadline));
  expect_others_untouched();
}

// Descriptors that break the rules cost their own frames, or the ring when there is no going on.
TEST_F(Hostile, DescriptorsThatBreakTheRules) {
  start_traffic();
  frontend::Guest guest(villain());
  guest.start();
  const uint64_t good = guest.memory().guest_address(guest.memory().allocate(4096));
  const Descriptor bad[] = {{0, 100, 0, 0},                               // nowhere
                            {good, 100, frontend::kDescriptorWrite, 0},   // to be written
                            {good, 5, 0, 0},                              // half a header
                            {good + (4u << 20), 100, 0, 0},               // past the region
                            {good, 0xffff'ffff, 0, 0},                    // and much further
                            {~uint64_t{0} - 50, 100, 0, 0},               // wraps round
                            {good, 8, frontend::kDescriptorIndirect, 0},  // half a table
                            {good, 1u << 20, frontend::kDescriptorIndirect, 0}};
  for (const Descriptor& link : bad) ASSERT_TRUE(guest.transmit().post({&link, 1}, false));
  guest.transmit().publish();
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (guest.transmit().in_flight() != 0) {
    guest.transmit().reclaim();
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  expect_others_untouched();
  EXPECT_EQ(read_books(net_.process).ingress("villain", "drop_malformed"), std::size(bad));
}

TEST_F(Hostile, AnAvailableEntryBeyondTheRing) {
  start_traffic();
  frontend::Guest guest(villain());
  guest.start();
  guest.transmit_ring().set_available(0, 4711);
  guest.transmit_ring().publish(1);
  EXPECT_THAT(net_.process.await_state("villain", "faulted"), HasSubstr("transmit ring"));
  expect_others_untouched();
}

// Nobody waits for a full receiver: the frames for the others pass between those for it.
TEST(FullReceiver, LosesOnlyItsOwnFrames) {
  Net net(3);
  net.crowd.announce();
  net.crowd.at(2).receives = false;
  for (unsigned i = 0; i < 3000; ++i) {
    net.crowd.send(0, 1, 60 + i);
    while (!net.crowd.try_send(0, 2, 60 + i)) net.crowd.turn();
  }
  net.crowd.at(2).receives = true;
  const Books books = expect_balanced(net);
  EXPECT_EQ(net.crowd.pair(0, 1).received, 3001u);
  EXPECT_EQ(books.dropped("p1", "egress"), 0u);
  EXPECT_GT(books.egress("p2", "drop_no_buffer"), 0u);
  EXPECT_EQ(net.crowd.pair(0, 2).received + books.egress("p2", "drop_no_buffer"), 3001u);
}

}  // namespace
}  // namespace testbed
