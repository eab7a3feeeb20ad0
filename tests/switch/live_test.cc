// Ports and guests that come and go while traffic runs on the others: none of its frames is lost.
#include "lib/background_traffic.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

const std::vector<uint8_t> kConsumed = frame_between(kLinkLocalAddress, 0x0000'0000'0902, 60);

frontend::GuestOptions small_guest(const std::string& socket) {
  frontend::GuestOptions options;
  options.socket = socket;
  options.memory.regions = {4u << 20};
  return options;
}

// Sends until the switch has taken a frame.
void exchange(frontend::Guest& guest) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  const uint64_t before = guest.transmit().completed();
  ASSERT_TRUE(guest.send(kConsumed));
  while (guest.transmit().completed() == before) {
    guest.transmit().reclaim();
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the switch takes no frame";
    std::this_thread::yield();
  }
}

class Live : public testing::Test {
 protected:
  Live() { net_.crowd.announce(); }

  Net net_{2};
};

TEST_F(Live, PortsComeAndGo) {
  BackgroundTraffic traffic(net_.crowd);
  for (int i = 0; i < 20; ++i) {
    net_.process.call("port.add", {{"name", "extra"}, {"transient", true}});
    traffic.await_progress();
    frontend::Guest guest(small_guest(net_.process.socket("extra")));
    guest.start();
    exchange(guest);
    traffic.await_progress();
    net_.process.call("port.remove", {{"name", "extra"}, {"force", true}});
    EXPECT_TRUE(guest.connection().wait_closed(kDeadline));
    traffic.await_progress();
  }
  traffic.stop();
  const Books books = expect_whole(net_);
  EXPECT_EQ(books.dropped("p0", "egress") + books.dropped("p1", "egress"), 0u);
}

TEST_F(Live, ManyPortsAtOnce) {
  BackgroundTraffic traffic(net_.crowd);
  for (unsigned i = 2; i < 40; ++i) {
    net_.process.call("port.add", {{"name", port_name(i)}, {"transient", true}});
  }
  std::vector<std::unique_ptr<frontend::Guest>> guests;
  for (unsigned i = 2; i < 40; ++i) {
    const std::string socket = net_.process.socket(port_name(i));
    guests.push_back(std::make_unique<frontend::Guest>(small_guest(socket)));
    guests.back()->start();
    exchange(*guests.back());
  }
  traffic.await_progress();
  for (unsigned i = 2; i < 40; ++i) {
    net_.process.call("port.remove", {{"name", port_name(i)}, {"force", true}});
  }
  traffic.await_progress();
  traffic.stop();
  expect_whole(net_);
  EXPECT_EQ(net_.process.call("status").at("ports"), 2);
}

TEST_F(Live, GuestsRebootWithoutEnd) {
  net_.process.call("port.add", {{"name", "extra"}, {"transient", true}});
  BackgroundTraffic traffic(net_.crowd);
  frontend::Guest guest(small_guest(net_.process.socket("extra")));
  for (int i = 0; i < 12; ++i) {
    guest.start();
    exchange(guest);
    if (i % 2 == 0) {
      guest.stop();  // the driver resets its device, the connection stays
    } else {
      guest.disconnect(true);
    }
  }
  traffic.stop();
  expect_whole(net_);
}

TEST_F(Live, APortWithAGuestIsRemovedByForceOnly) {
  const auto remove = [&] { net_.process.call("port.remove", {{"name", "p1"}}); };
  EXPECT_THAT(remove, ThrowsMessage<client::RpcError>(HasSubstr("force")));
  net_.crowd.send(0, 1, 100);
  expect_whole(net_);
  net_.process.call("port.remove", {{"name", "p1"}, {"force", true}});
  EXPECT_TRUE(net_.crowd.at(1).guest.connection().wait_closed(kDeadline));
  EXPECT_EQ(net_.process.call("port.list").at("ports").size(), 1u);
  EXPECT_EQ(net_.process.call("mac.list").at("macs").size(), 1u) << "its addresses go with it";
}

// A port's counters are its own: one that comes later does not inherit them.
TEST_F(Live, ANewPortStartsAtZero) {
  net_.process.call("port.remove", {{"name", "p1"}, {"force", true}});
  net_.process.call("port.add", {{"name", "next"}, {"transient", true}});
  const Books books = read_books(net_.process);
  EXPECT_EQ(books.ingress("next", "frames"), 0u);
  EXPECT_EQ(books.egress("next", "attempted"), 0u);
}

}  // namespace
}  // namespace testbed
