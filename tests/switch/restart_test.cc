// The switch goes and comes back under running guests, and guests under a running switch.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "lib/background_traffic.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::RingBase;

// What a VMM says of a ring in use differs; the switch finds the right place for both.
class Restart : public testing::TestWithParam<RingBase> {
 protected:
  Restart() {
    for (const char* port : {"p0", "p1"}) {
      frontend::GuestOptions options;
      options.socket = net_.process.socket(port);
      options.base = GetParam();
      net_.crowd.add(port, options);
    }
    net_.crowd.announce();
  }

  // Frames that wait in rings while there is no switch arrive once when it is back.
  void expect_nothing_lost_on(const std::function<void()>& end) {
    for (uint32_t size = 60; size < 3000; ++size) net_.crowd.send(0, 1, size);
    end();
    // What was on its way when the switch went may fill the rings already.
    for (uint32_t size = 60; size < 120 && net_.crowd.can_send(0, 1, size); ++size) {
      net_.crowd.send(0, 1, size);
    }
    net_.process.start();
    net_.crowd.reconnect(1);
    net_.crowd.reconnect(0);
    for (uint32_t size = 60; size < 3000; ++size) net_.crowd.send(0, 1, size);
    net_.crowd.settle_whole();
    net_.crowd.send(1, 0, 60);
    net_.crowd.settle_whole();
    EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
  }

  Net net_{0, {"--port", "p0", "--port", "p1"}};
};

// In the middle of its work: each frame was delivered and given back, or neither.
TEST_P(Restart, TerminatedWithGuestsAttached) {
  expect_nothing_lost_on([&] { EXPECT_EQ(net_.process.stop(), 0) << net_.process.log(); });
}

// Ports go one after the other, but none of their frames is taken with nowhere left to go.
TEST_P(Restart, TerminatedWithTrafficBothWays) {
  for (uint32_t size = 60; size < 600; ++size) {
    net_.crowd.send(0, 1, size);
    net_.crowd.send(1, 0, size);
  }
  EXPECT_EQ(net_.process.stop(), 0) << net_.process.log();
  while (net_.crowd.turn()) {
  }
  for (uint16_t from = 0; from < 2; ++from) {
    const auto to = static_cast<uint16_t>(1 - from);
    EXPECT_EQ(net_.crowd.at(from).guest.transmit().completed(), net_.crowd.pair(from, to).received);
  }
}

// Killed in the middle of a turn it could not give back what it had delivered: not killed there.
TEST_P(Restart, KilledWithGuestsAttached) {
  expect_nothing_lost_on([&] {
    net_.crowd.settle();
    net_.process.kill();
  });
}

TEST_P(Restart, RingsGoOnAfterADriverReset) {
  for (int i = 0; i < 5; ++i) {
    for (uint32_t size = 60; size < 400; ++size) net_.crowd.send(0, 1, size);
    net_.crowd.settle();
    frontend::Guest& guest = net_.crowd.at(0).guest;
    const std::vector<uint32_t> bases = guest.stop();
    EXPECT_EQ(bases.at(0), guest.receive_ring().used_index());
    EXPECT_EQ(bases.at(1), guest.transmit_ring().next_available());
    guest.start();
    guest.await_served();
  }
  net_.crowd.send(1, 0, 600);
  expect_whole(net_);
}

// The VMM's memory is as it was: nothing of it is written once the switch has let go.
TEST_P(Restart, MemoryIsLeftAlone) {
  for (uint32_t size = 60; size < 200; ++size) net_.crowd.send(0, 1, size);
  net_.crowd.settle();
  frontend::Guest& guest = net_.crowd.at(1).guest;
  const uint16_t used = guest.receive_ring().used_index();
  EXPECT_EQ(net_.process.stop(), 0);
  net_.crowd.send(0, 1, 60);
  EXPECT_EQ(guest.receive_ring().used_index(), used);
  net_.crowd.turn();  // checks the poison behind every buffer that was used
  EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Bases, Restart,
                         testing::Values(RingBase::used_index, RingBase::available_index),
                         [](const auto& test) {
                           return test.param == RingBase::used_index ? "UsedIndex"
                                                                     : "AvailableIndex";
                         });

TEST(StateFile, PortsOfTheirOwnComeBackAndTakeTheirGuests) {
  Net net(1);
  net.process.call("port.add", {{"name", "kept"}, {"isolated", true}});
  net.process.call("port.add", {{"name", "passing"}, {"transient", true}});
  net.add("kept");
  net.crowd.announce();
  net.crowd.settle_whole();
  EXPECT_EQ(net.process.stop(), 0);
  net.process.start();
  net.crowd.new_book();
  net.crowd.reconnect(0);
  net.crowd.reconnect(1);
  EXPECT_EQ(net.process.call("port.list").at("ports").size(), 2u);
  EXPECT_TRUE(net.process.port("kept").at("isolated"));
  net.crowd.send(0, 1, 100);
  net.crowd.send(1, 0, 100);
  expect_whole(net);
}

// Attaches, sends what the switch consumes, until it is killed.
[[noreturn]] void play_guest(const std::string& socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  frontend::GuestOptions options;
  options.socket = socket;
  frontend::Guest guest(options);
  guest.start();
  const auto frame = frame_between(kLinkLocalAddress, 0x0000'0000'0902, 1000);
  for (;;) guest.send(frame);
}

TEST(KilledVmm, IsNoticedAndHindersNobody) {
  Net net(2, {"--port", "victim"});
  net.crowd.announce();
  const std::string socket = net.process.socket("victim");
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) play_guest(socket);
    BackgroundTraffic traffic(net.crowd);
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    const uint64_t before = read_books(net.process).ingress("victim", "consumed");
    while (read_books(net.process).ingress("victim", "consumed") < before + 1000) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    }
    EXPECT_EQ(net.process.port("victim").at("vmm_pid"), child);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    net.process.await_state("victim", "listening");
    traffic.await_progress();
  }
  net.add("victim");
  net.crowd.flood(2, frontend::kBroadcastAddress, 60, {0, 1});
  net.crowd.settle();
  net.crowd.send(0, 2, 60);
  net.crowd.settle_whole();
  EXPECT_THAT(net.crowd.problems(), testing::IsEmpty());
}

}  // namespace
}  // namespace testbed
