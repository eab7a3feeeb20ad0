// Start and restart: what is configured, what is restored, and what stands in the way.
#include "control/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "running_service.h"

namespace control {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::RunningService;

PortConfig port(const std::string& name) {
  PortConfig port;
  port.settings.name = name;
  port.settings.socket = "/run/" + name + ".sock";
  port.origin = name;
  return port;
}

TEST(Service, AddsConfiguredPortsWithTheirAddresses) {
  RunningService service([](Configuration& configuration) {
    configuration.ports.push_back(port("vm1"));
    configuration.ports[0].static_macs = {*bridge::MacAddress::parse("52:54:00:00:00:01")};
  });
  RawClient client(service.socket());
  EXPECT_EQ(client.ask("port.list")["result"]["ports"][0]["origin"], "configuration");
  EXPECT_EQ(client.ask("mac.list")["result"]["macs"][0]["port"], "vm1");
}

TEST(Service, RestoresPortsAndAddresses) {
  RunningService service([](Configuration& configuration) {
    StateFile state(configuration.state_file);
    state.add_port(port("vm1"));
    state.add_mac({*bridge::MacAddress::parse("52:54:00:00:00:01"), "vm1"});
  });
  RawClient client(service.socket());
  EXPECT_EQ(client.ask("port.list")["result"]["ports"][0]["origin"], "state");
  EXPECT_EQ(client.ask("mac.list")["result"]["macs"][0]["static"], true);
}

TEST(Service, TheConfigurationWinsOverTheStateFile) {
  RunningService service([](Configuration& configuration) {
    configuration.ports.push_back(port("vm1"));
    PortConfig other = port("vm1");
    other.settings.socket = "/run/other.sock";
    StateFile(configuration.state_file).add_port(other);
  });
  RawClient client(service.socket());
  EXPECT_EQ(client.ask("port.show", {{"name", "vm1"}})["result"]["socket"], "/run/vm1.sock");
}

TEST(Service, APortThatCannotBeRestoredIsShownAndKept) {
  RunningService service([](Configuration& configuration) {
    PortConfig lost = port("lost");
    lost.settings.socket = "/" + std::string(200, 'x');
    StateFile state(configuration.state_file);
    state.add_port(lost);
    state.add_port(port("vm1"));
  });
  RawClient client(service.socket());
  const json status = client.ask("status")["result"];
  EXPECT_EQ(status["ports"], 1);
  EXPECT_EQ(status["unrestored"][0]["name"], "lost");
  EXPECT_THAT(status["unrestored"][0]["reason"].get<std::string>(), HasSubstr("107"));
  EXPECT_TRUE(StateFile(service.configuration.state_file).has_port("lost"));
}

TEST(Service, AConfiguredPortThatCannotBeHadStopsTheStart) {
  const testing::TemporaryDirectory directory;
  boost::asio::io_context loop;
  testing::FakeSwitch net;
  net.fail_add_port = "socket in use";
  Configuration configuration;
  configuration.control_socket = directory / "control.sock";
  configuration.ports.push_back(port("vm1"));
  StateFile state(std::nullopt);
  Service service(loop, configuration, state, net);
  EXPECT_THAT(testing::error_of<datapath::SwitchError>([&] { service.start(); }),
              HasSubstr("socket in use"));
}

}  // namespace
}  // namespace control
