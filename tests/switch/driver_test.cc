// What stands between a VMM's first message and its guest's last: other drivers on the same
// connection, and another connection before the last one is gone.
#include "lib/background_traffic.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

namespace feature = frontend::feature;

constexpr uint64_t kFirmware = feature::kVersion1 | feature::kProtocolFeatures;
constexpr uint64_t kSystem = kFirmware | feature::kMergeable | feature::kIndirect |
                             feature::kEventIndex | feature::kAnyLayout;

class Drivers : public testing::TestWithParam<frontend::MessageOrder> {
 protected:
  Drivers() {
    for (const char* port : {"p0", "p1"}) {
      frontend::GuestOptions options;
      options.socket = net_.process.socket(port);
      options.order = GetParam();
      options.features = kFirmware;
      options.receive_buffers = {kLargestFrame + frontend::kLongHeader};
      net_.crowd.add(port, options);
    }
    net_.crowd.announce();
  }

  void exchange() {
    for (uint32_t size = 60; size < 600; ++size) {
      net_.crowd.send(0, 1, size);
      net_.crowd.send(1, 0, size);
    }
    net_.crowd.settle_whole();
    EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
  }

  // A reset of the device by the driver that had it, and another driver's start.
  void change_driver(uint16_t station, uint64_t features) {
    frontend::Guest& guest = net_.crowd.at(station).guest;
    guest.stop();
    guest.next_driver(features);
    net_.crowd.start(station);
  }

  Net net_{0, {"--port", "p0", "--port", "p1"}};
};

// The firmware asks for few features; the system takes all. Its rings begin anew, elsewhere in what
// the device sees.
TEST_P(Drivers, FirmwareThenTheSystem) {
  exchange();
  for (const uint64_t features : {kSystem, kFirmware, kSystem}) {
    change_driver(0, features);
    EXPECT_EQ(net_.crowd.at(0).guest.features(), features);
    exchange();
  }
  net_.process.await_state("p0", "attached");
}

// kexec does not quiesce the device: frames arrive until the new kernel's driver resets it.
TEST_P(Drivers, KexecUnderTraffic) {
  for (int i = 0; i < 5; ++i) {
    for (uint32_t size = 60; size < 400 && net_.crowd.can_send(0, 1, size); ++size) {
      net_.crowd.send(0, 1, size);
      net_.crowd.send(1, 0, size);
    }
    change_driver(0, kSystem);
    net_.crowd.settle();
    net_.crowd.accept_losses();
    exchange();
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, Drivers,
                         testing::Values(frontend::MessageOrder::cloud_hypervisor,
                                         frontend::MessageOrder::qemu),
                         [](const auto& test) {
                           return test.param == frontend::MessageOrder::qemu ? "Qemu"
                                                                             : "CloudHypervisor";
                         });

// A VMM that reboots opens its new connection while the old one is still there.
TEST(Overlap, TheSecondConnectionIsTakenInOrder) {
  Net net(2, {"--port", "extra"});
  net.crowd.announce();
  BackgroundTraffic traffic(net.crowd);
  frontend::GuestOptions options;
  options.socket = net.process.socket("extra");
  options.memory.regions = {4u << 20};
  const auto frame = frame_between(kLinkLocalAddress, 0x0000'0000'0902, 60);
  auto guest = std::make_unique<frontend::Guest>(options);
  for (int i = 0; i < 8; ++i) {
    guest->start();
    guest->send(frame);
    auto next = std::make_unique<frontend::Guest>(options);
    next->connect();  // and has to wait for its first answer
    guest = std::move(next);
  }
  guest->start();
  traffic.await_progress();
  traffic.stop();
  expect_whole(net);
  net.process.await_state("extra", "attached");
}

}  // namespace
}  // namespace testbed
