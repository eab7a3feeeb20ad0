// Ports whose VMM listens: the switch comes to it, and comes again.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "frontend/error.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::MessageOrder;
using testing::HasSubstr;

frontend::GuestOptions listening_guest(const std::string& socket) {
  frontend::GuestOptions options;
  options.socket = socket;
  options.listen = true;
  return options;
}

// Both ports in client mode.
class ClientMode : public testing::TestWithParam<MessageOrder> {
 protected:
  void attach() {
    for (const char* port : {"p0", "p1"}) {
      auto options = listening_guest(net_.process.socket(port));
      options.order = GetParam();
      if (GetParam() == MessageOrder::cloud_hypervisor) {
        options.base = frontend::RingBase::available_index;
      }
      net_.crowd.add(port, options);
    }
    net_.crowd.announce();
  }

  void expect_forwarding() {
    for (uint32_t size = 60; size < 400; ++size) {
      net_.crowd.send(0, 1, size);
      net_.crowd.send(1, 0, size);
    }
    net_.crowd.settle_whole();
    EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
  }

  Net net_{0, {"--port", "p0", "--port", "p1", "--mode", "p0=client", "--mode", "p1=client"}};
};

TEST_P(ClientMode, Forwards) {
  attach();
  expect_whole(net_);
  expect_forwarding();
  expect_whole(net_);
}

TEST_P(ClientMode, TheSwitchComesBackWithGuestsRunning) {
  attach();
  expect_forwarding();
  for (int i = 0; i < 3; ++i) {
    i == 1 ? static_cast<void>(net_.process.stop()) : net_.process.kill();
    net_.process.start();
    net_.crowd.reconnect(1);
    net_.crowd.reconnect(0);
    net_.crowd.announce();
    expect_forwarding();
  }
}

TEST_P(ClientMode, VmmsDropTheConnectionAnyNumberOfTimes) {
  attach();
  for (int i = 0; i < 12; ++i) {
    net_.crowd.reconnect(static_cast<uint16_t>(i % 2));
    expect_forwarding();
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, ClientMode,
                         testing::Values(MessageOrder::cloud_hypervisor, MessageOrder::qemu),
                         [](const auto& test) {
                           return test.param == MessageOrder::qemu ? "Qemu" : "CloudHypervisor";
                         });

class ClientPort : public testing::Test {
 protected:
  std::string reason() { return net_.process.port("p0").at("reason").get<std::string>(); }

  void await_reason(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (reason().find(text) == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "not '" << text << "': " << reason();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(net_.process.port("p0").at("state"), "connecting");
  }

  Net net_{0, {"--port", "p0", "--port", "p1", "--mode", "p0=client"}};
  const std::string socket_ = net_.process.socket("p0");
};

TEST_F(ClientPort, SaysWhyThereIsNoVmm) {
  await_reason("there is none yet");
  {
    frontend::Guest guest(listening_guest(socket_));
    guest.start();
    net_.process.await_state("p0", "attached");
  }
  await_reason("nobody listens");
  frontend::Guest guest(listening_guest(socket_));
  guest.start();
  EXPECT_EQ(net_.process.await_state("p0", "attached"), "");
}

TEST_F(ClientPort, WhatIsNoSocketOfAVmmIsRefused) {
  std::ofstream(socket_) << "text";
  await_reason("not a socket");
  std::filesystem::remove(socket_);
  std::filesystem::create_symlink(net_.process.socket("p1"), socket_);
  await_reason("symbolic link");
  EXPECT_EQ(net_.process.port("p1").at("state"), "listening") << "not that port's VMM";
  EXPECT_THAT(net_.process.log(), HasSubstr("symbolic link"));
}

TEST_F(ClientPort, IsKeptAcrossRestarts) {
  const std::string path = net_.process.socket("kept");
  net_.process.call("port.add", {{"name", "kept"}, {"mode", "client"}});
  frontend::Guest guest(listening_guest(path));
  guest.start();
  net_.process.await_state("kept", "attached");
  net_.process.kill();
  EXPECT_TRUE(guest.connection().wait_closed(kDeadline));
  net_.process.start();
  EXPECT_EQ(net_.process.port("kept").at("mode"), "client");
  guest.disconnect();
  guest.start();
  net_.process.await_state("kept", "attached");
  EXPECT_TRUE(std::filesystem::exists(path)) << "the socket is the VMM's";
}

TEST_F(ClientPort, GoesWithItsPort) {
  net_.process.call("port.remove", {{"name", "p0"}});
  frontend::Listener listener(socket_);
  // What the main thread has to do meanwhile is done when it answers for the other port.
  for (int i = 0; i < 100; ++i) net_.process.port("p1");
  EXPECT_THROW(listener.accept(std::chrono::milliseconds(0)), frontend::TimedOut);
}

}  // namespace
}  // namespace testbed
