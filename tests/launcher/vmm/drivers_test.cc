// The drivers themselves against processes that are none: what happens when a VMM never comes up,
// ends, or lets a guest keep a device.
#include <gmock/gmock.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fstream>

#include "fake_monitor.h"
#include "fake_vmm.h"
#include "vmm/cloud_hypervisor/driver.h"
#include "vmm/qemu/driver.h"

namespace launcher {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class DriversTest : public ::testing::Test {
 protected:
  DriversTest() {
    spec_.name = "app";
    spec_.program = "/bin/false";
    spec_.directory = directory_.path();
    spec_.kernel = "/boot/vmlinuz";
    spec_.memory = 128 << 20;
  }

  TemporaryDirectory directory_;
  asio::io_context loop_;
  VmSpec spec_;
};

// Answers every request with 204 and keeps what was asked.
class Agreeing {
 public:
  Agreeing(asio::io_context& loop, const std::filesystem::path& path)
      : acceptor_(loop, UnixEndpoint(path.string())) {
    asio::co_spawn(loop, serve(), asio::detached);
  }

  std::vector<std::string> asked;
  std::function<void(const std::string&)> at = [](const std::string&) {};

 private:
  asio::awaitable<void> serve() {
    for (;;) {
      UnixSocket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      asio::co_spawn(acceptor_.get_executor(), answer(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> answer(UnixSocket socket) {
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    co_await http::async_read(socket, buffer, request, asio::use_awaitable);
    asked.push_back(std::string(request.target()).substr(sizeof "/api/v1/" - 1));
    at(asked.back());
    const http::response<http::empty_body> response(http::status::no_content, 11);
    co_await http::async_write(socket, response, asio::use_awaitable);
  }

  asio::local::stream_protocol::acceptor acceptor_;
};

class CloudHypervisorTest : public DriversTest {
 protected:
  static VmmLimits short_limits() {
    VmmLimits limits;
    limits.start = 300ms;
    limits.removal = 300ms;
    return limits;
  }

  void serve() {
    api_.emplace(loop_, directory_.path() / "api.sock");
    driver_.command();  // makes the pipe
  }

  void monitor_says(const std::string& text) {
    std::ofstream(directory_.path() / "events") << text << "\n\n" << std::flush;
  }

  CloudHypervisor driver_{loop_, spec_, short_limits()};
  std::optional<Agreeing> api_;
};

const char* const removed =
    "{\n  \"source\": \"vm\",\n  \"event\": \"device-removed\",\n  \"properties\": {\n    \"id\": "
    "\"net1\"\n  }\n}";

TEST_F(CloudHypervisorTest, IsCreatedThenBooted) {
  serve();
  finish(loop_, driver_.boot());
  EXPECT_THAT(api_->asked, ElementsAre("vmm.ping", "vm.create", "vm.boot"));
}

TEST_F(CloudHypervisorTest, IsShutDownWithItsVm) {
  serve();
  finish(loop_, driver_.shutdown());
  EXPECT_THAT(api_->asked, ElementsAre("vm.shutdown", "vmm.shutdown"));
}

TEST_F(CloudHypervisorTest, SocketThatNeverComesIsAnErrorWithTheVmsName) {
  EXPECT_THAT(error_of(loop_, driver_.boot()), StartsWith("app: cannot connect to its control"));
}

TEST_F(CloudHypervisorTest, DeviceIsGoneWhenTheGuestHasEjectedIt) {
  serve();
  finish(loop_, driver_.boot());
  std::vector<VmmEvent> events;
  driver_.on_event([&](const VmmEvent& event) { events.push_back(event); });
  api_->at = [this](const std::string&) { monitor_says(removed); };  // before the answer even
  finish(loop_, driver_.remove("net1"));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, VmmEvent::Kind::device_removed);
}

TEST_F(CloudHypervisorTest, DeviceThatTheGuestKeepsIsAnError) {
  serve();
  finish(loop_, driver_.boot());
  EXPECT_EQ(error_of(loop_, driver_.remove("net1")),
            "app: the guest has not let go of net1 in time; it may still do so");
}

TEST_F(CloudHypervisorTest, EndOfTheProcessEndsWhatWaitsForADevice) {
  serve();
  finish(loop_, driver_.boot());
  asio::steady_timer soon(loop_, 50ms);
  soon.async_wait([this](auto) { driver_.process_ended(); });
  EXPECT_EQ(error_of(loop_, driver_.remove("net1")),
            "app: cloud-hypervisor ended before net1 was removed");
}

TEST_F(CloudHypervisorTest, InterfaceWithoutAPortIsNotAskedFor) {
  serve();
  const VmNet net{"net1", directory_.path() / "none.sock", "02:00:00:00:00:01", 1500, 1};
  EXPECT_THAT(error_of(loop_, driver_.add_net(net)), HasSubstr("add the port first"));
  EXPECT_TRUE(api_->asked.empty());
}

TEST_F(CloudHypervisorTest, PassedDeviceIsNamedByItsAddress) {
  serve();
  EXPECT_EQ(finish(loop_, driver_.add_device("0000:00:19.0")), "pci-0000-00-19.0");
}

TEST_F(CloudHypervisorTest, PipeOfAnEarlierRunIsReplaced) {
  std::ofstream(directory_.path() / "events") << "a file of the guest's user";
  driver_.command();
  EXPECT_TRUE(std::filesystem::is_fifo(directory_.path() / "events"));
}

TEST_F(DriversTest, QemuThatEndsAtOnceIsAnErrorWithTheVmsName) {
  Qemu driver(loop_, spec_);
  driver.process_ended();
  EXPECT_THAT(error_of(loop_, driver.boot()), StartsWith("app: cannot connect to its control"));
}

TEST_F(DriversTest, QemuThatIsNotThereCannotBeToldAnything) {
  Qemu driver(loop_, spec_);
  EXPECT_THAT(error_of(loop_, driver.power_button()), StartsWith("app: QEMU hung up"));
}

TEST_F(DriversTest, QemuRemovesTheBackendOfWhatTheGuestLetGoOfLate) {
  VmmLimits limits;
  limits.removal = 300ms;
  spec_.nets = {{"net0", directory_.path() / "none.sock", "02:00:00:00:00:01", 1500, 1}};
  qemu::FakeMonitor monitor(loop_, directory_.path() / "qmp.sock", qemu::greeting,
                            std::vector<std::string>(4, qemu::good));
  Qemu driver(loop_, spec_, limits);
  finish(loop_, driver.boot());
  EXPECT_THAT(error_of(loop_, driver.remove("net0")), HasSubstr("it may still do so"));
  finish(loop_, driver.forget("net0"));
  finish(loop_, driver.forget("net0"));
  ASSERT_EQ(monitor.asked.size(), 4u);
  EXPECT_EQ(monitor.asked[3].at("execute"), "netdev_del");
  EXPECT_EQ(monitor.asked[3].at("arguments").at("id"), "backend-net0");
}

}  // namespace
}  // namespace launcher
