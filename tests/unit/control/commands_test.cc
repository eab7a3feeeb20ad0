// Every method over a fake switch: results, strict parameters, and what is kept across restarts.
#include "control/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/json_rpc.h"
#include "control/logging.h"
#include "expect_error.h"
#include "fake_switch.h"
#include "temporary_directory.h"

namespace control {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() {
    configuration_.socket_dir = directory_.path();
    configuration_.control_socket = directory_ / "control.sock";
  }

  json call(const std::string& method, const json& params = json::object()) {
    return run_command(context_, method, params, [this] { ++subscriptions_; });
  }

  // Code and message of the failure.
  std::pair<int, std::string> failure(const std::string& method,
                                      const json& params = json::object()) {
    try {
      call(method, params);
    } catch (const RpcFailure& failure) {
      return {failure.code(), failure.what()};
    }
    ADD_FAILURE() << method << " succeeded";
    return {};
  }

  bool kept(const std::string& port) { return StateFile(state_path_).has_port(port); }

  testing::TemporaryDirectory directory_;
  const std::filesystem::path state_path_ = directory_ / "ports.json";
  testing::FakeSwitch net_;
  StateFile state_{state_path_};
  Configuration configuration_;
  CommandContext context_{net_, state_, configuration_, current_identity(), {}, {}};
  int subscriptions_ = 0;
};

TEST_F(CommandsTest, AddsAPortWithDefaultsAndKeepsIt) {
  const json port = call("port.add", {{"name", "vm1"}});
  EXPECT_EQ(port["socket"], (directory_ / "vm1.sock").string());
  EXPECT_EQ(port["state"], "listening");
  EXPECT_EQ(port["mode"], "server");
  EXPECT_EQ(port["isolated"], false);
  EXPECT_EQ(port["mac_limit"], 1024);
  EXPECT_EQ(port["mtu"], json());
  EXPECT_EQ(port["queues"], 16);
  EXPECT_EQ(port["packed"], false);
  EXPECT_EQ(port["socket_mode"], "0660");
  EXPECT_EQ(port["origin"], "state");
  EXPECT_TRUE(net_.has_port("vm1"));
  EXPECT_TRUE(kept("vm1"));
}

TEST_F(CommandsTest, AddsAPortWithEverySetting) {
  const json port = call("port.add", {{"name", "vm1"},
                                      {"socket", "/run/x.sock"},
                                      {"isolated", true},
                                      {"mac_limit", 3},
                                      {"mtu", 9000},
                                      {"queues", 4},
                                      {"packed", true},
                                      {"socket_mode", "0600"},
                                      {"socket_owner", getuid()},
                                      {"socket_group", std::to_string(getgid())},
                                      {"allow_uid", {"root", 1000}},
                                      {"allow_gid", json::array()},
                                      {"static_macs", {"52:54:00:00:00:01"}},
                                      {"transient", true}});
  EXPECT_EQ(port["socket"], "/run/x.sock");
  EXPECT_EQ(port["isolated"], true);
  EXPECT_EQ(port["mtu"], 9000);
  EXPECT_EQ(port["queues"], 4);
  EXPECT_EQ(port["packed"], true);
  EXPECT_EQ(port["socket_owner"], getuid());
  EXPECT_EQ(port["allow_uid"], json({0, 1000}));
  EXPECT_EQ(port["origin"], "transient");
  EXPECT_FALSE(kept("vm1"));
  EXPECT_EQ(call("mac.list")["macs"][0]["port"], "vm1");
}

// The VMM's socket is whose it is: what the switch could give away itself does not matter.
TEST_F(CommandsTest, AddsAPortWhoseVmmListens) {
  const json port =
      call("port.add", {{"name", "vm1"}, {"mode", "client"}, {"socket_owner", getuid() + 1}});
  EXPECT_EQ(port["mode"], "client");
  const StateFile kept(state_path_);
  EXPECT_EQ(kept.ports().at(0).settings.access.connection, vhost::ConnectionMode::client);
  EXPECT_EQ(kept.ports().at(0).settings.access.owner, getuid() + 1);
}

TEST_F(CommandsTest, RefusesBadPorts) {
  EXPECT_EQ(failure("port.add").first, kInvalidParams);
  EXPECT_EQ(failure("port.add", {{"name", "../x"}}).first, kInvalidParams);
  EXPECT_EQ(failure("port.add", {{"name", 1}}).first, kInvalidParams);
  EXPECT_THAT(failure("port.add", {{"name", "a"}, {"colour", 1}}).second,
              HasSubstr("member 'colour'"));
  EXPECT_THAT(failure("port.add", {{"name", "a"}, {"isolated", "yes"}}).second,
              HasSubstr("member 'isolated'"));
  EXPECT_THAT(failure("port.add", {{"name", "a"}, {"socket", "x.sock"}}).second,
              HasSubstr("absolute"));
  EXPECT_THAT(failure("port.add", {{"name", "a"}, {"socket", "/" + std::string(107, 'x')}}).second,
              HasSubstr("107"));
  EXPECT_EQ(failure("port.add", {{"name", "a"}, {"mac_limit", 1.5}}).first, kInvalidParams);
  EXPECT_EQ(failure("port.add", {{"name", "a"}, {"mac_limit", uint64_t{1} << 63}}).first,
            kInvalidParams);
  EXPECT_TRUE(net_.ports().empty());
}

TEST_F(CommandsTest, OwnersThatMayNotBeSetAreRefused) {
  context_.identity = Identity{1000, 1000, {}, false, false};
  EXPECT_THAT(failure("port.add", {{"name", "a"}, {"socket_owner", 0}}).second,
              HasSubstr("member 'socket_owner'"));
  EXPECT_TRUE(net_.ports().empty());
}

TEST_F(CommandsTest, ARefusalOfTheSwitchIsTold) {
  call("port.add", {{"name", "vm1"}});
  const auto [code, message] = failure("port.add", {{"name", "vm1"}});
  EXPECT_EQ(code, kRefused);
  EXPECT_THAT(message, HasSubstr("'vm1' exists"));
}

TEST_F(CommandsTest, APortThatCannotBeKeptIsNotAdded) {
  std::filesystem::create_directory(state_path_.string() + ".new");
  const auto [code, message] = failure("port.add", {{"name", "vm1"}});
  EXPECT_EQ(code, kRefused);
  EXPECT_THAT(message, AllOf(HasSubstr("ports.json"), HasSubstr("transient")));
  EXPECT_FALSE(net_.has_port("vm1"));
  EXPECT_NO_THROW(call("port.add", {{"name", "vm1"}, {"transient", true}}));
}

TEST_F(CommandsTest, APortWhoseAddressIsTakenIsNotAdded) {
  const json macs = {"52:54:00:00:00:01"};
  call("port.add", {{"name", "a"}, {"static_macs", macs}});
  EXPECT_EQ(failure("port.add", {{"name", "b"}, {"static_macs", macs}}).first, kRefused);
  EXPECT_FALSE(net_.has_port("b"));
  EXPECT_FALSE(kept("b"));
}

TEST_F(CommandsTest, RemovesAPortForGood) {
  call("port.add", {{"name", "vm1"}});
  EXPECT_EQ(call("port.remove", {{"name", "vm1"}})["removed"], "vm1");
  EXPECT_FALSE(net_.has_port("vm1"));
  EXPECT_FALSE(kept("vm1"));
  EXPECT_EQ(failure("port.remove", {{"name", "vm1"}}).first, kRefused);
}

TEST_F(CommandsTest, RemovesAPortWithAGuestOnlyByForce) {
  call("port.add", {{"name", "vm1"}});
  net_.attach("vm1");
  EXPECT_THAT(failure("port.remove", {{"name", "vm1"}}).second, HasSubstr("--force"));
  EXPECT_TRUE(kept("vm1"));
  EXPECT_NO_THROW(call("port.remove", {{"name", "vm1"}, {"force", true}}));
  EXPECT_FALSE(kept("vm1"));
}

TEST_F(CommandsTest, RemovesAPortThatCouldNotBeRestored) {
  PortConfig lost;
  lost.settings.name = "lost";
  lost.settings.socket = "/gone/lost.sock";
  state_.add_port(lost);
  context_.unrestored.push_back({"lost", "its directory is gone"});
  EXPECT_EQ(call("status")["unrestored"][0]["name"], "lost");
  EXPECT_NO_THROW(call("port.remove", {{"name", "lost"}}));
  EXPECT_FALSE(kept("lost"));
  EXPECT_TRUE(call("status")["unrestored"].empty());
}

TEST_F(CommandsTest, ShowsAPort) {
  call("port.add", {{"name", "vm1"}});
  net_.attach("vm1");
  net_.count("vm1", bridge::Ingress::drop_runt, 5);
  const json port = call("port.show", {{"name", "vm1"}});
  EXPECT_EQ(port["state"], "attached");
  EXPECT_EQ(port["vmm_pid"], 4711);
  EXPECT_EQ(port["features"], "0x100008000");
  EXPECT_EQ(port["feature_names"], json({"MRG_RXBUF", "VERSION_1"}));
  EXPECT_EQ(port["counters"]["ingress"]["drop_runt"], 5);
  EXPECT_FALSE(port.contains("messages"));
  EXPECT_EQ(call("port.show", {{"name", "vm1"}, {"messages", true}})["messages"].size(), 2u);
  EXPECT_EQ(failure("port.show", {{"name", "ghost"}}).first, kRefused);
}

TEST_F(CommandsTest, SaysWhatKeepsAPort) {
  net_.add_port({"fixed", "/run/f.sock", {}, {}});
  context_.configured.insert("fixed");
  call("port.add", {{"name", "kept"}});
  call("port.add", {{"name", "loose"}, {"transient", true}});
  std::map<std::string, std::string> origins;
  const json result = call("port.list");
  for (const json& port : result["ports"]) origins[port["name"]] = port["origin"];
  EXPECT_THAT(origins,
              UnorderedElementsAre(std::pair("fixed", "configuration"), std::pair("kept", "state"),
                                   std::pair("loose", "transient")));
}

TEST_F(CommandsTest, StaticAddressesAreKept) {
  call("port.add", {{"name", "vm1"}});
  call("mac.add", {{"address", "52:54:00:00:00:01"}, {"port", "vm1"}});
  EXPECT_EQ(StateFile(state_path_).macs().size(), 1u);
  call("mac.remove", {{"address", "52:54:00:00:00:01"}});
  EXPECT_TRUE(StateFile(state_path_).macs().empty());
}

TEST_F(CommandsTest, TransientAddressesAreNot) {
  call("port.add", {{"name", "kept"}});
  call("port.add", {{"name", "loose"}, {"transient", true}});
  call("mac.add", {{"address", "52:54:00:00:00:01"}, {"port", "kept"}, {"transient", true}});
  call("mac.add", {{"address", "52:54:00:00:00:02"}, {"port", "loose"}});
  EXPECT_TRUE(StateFile(state_path_).macs().empty());
  EXPECT_EQ(call("mac.list")["macs"].size(), 2u);
}

TEST_F(CommandsTest, RefusesBadAddresses) {
  call("port.add", {{"name", "vm1"}});
  for (const char* address : {"", "52:54", "52:54:00:00:00:0g", "01:00:5e:00:00:01",
                              "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"}) {
    EXPECT_EQ(failure("mac.add", {{"address", address}, {"port", "vm1"}}).first, kInvalidParams)
        << address;
  }
  EXPECT_EQ(failure("mac.add", {{"address", "52:54:00:00:00:01"}, {"port", "ghost"}}).first,
            kRefused);
  EXPECT_EQ(failure("mac.remove", {{"address", "52:54:00:00:00:01"}}).first, kRefused);
}

TEST_F(CommandsTest, ListsAndFlushesAddresses) {
  call("port.add", {{"name", "a"}});
  call("port.add", {{"name", "b"}});
  net_.learn(*bridge::MacAddress::parse("52:54:00:00:00:01"), "a");
  net_.learn(*bridge::MacAddress::parse("52:54:00:00:00:02"), "b");
  call("mac.add", {{"address", "52:54:00:00:00:03"}, {"port", "a"}});
  EXPECT_EQ(call("mac.list")["macs"].size(), 3u);
  const json of_b = call("mac.list", {{"port", "b"}})["macs"];
  ASSERT_EQ(of_b.size(), 1u);
  EXPECT_EQ(
      of_b[0],
      json({{"address", "52:54:00:00:00:02"}, {"port", "b"}, {"static", false}, {"age_s", 7}}));
  EXPECT_EQ(failure("mac.list", {{"port", "ghost"}}).first, kRefused);
  EXPECT_EQ(failure("mac.flush", {{"port", "ghost"}}).first, kRefused);
  EXPECT_EQ(call("mac.flush", {{"port", "b"}})["flushed"], 1);
  EXPECT_EQ(call("mac.flush")["flushed"], 1);
  EXPECT_EQ(call("mac.list")["macs"].size(), 1u);
}

TEST_F(CommandsTest, StatsHaveEveryCounterByName) {
  call("port.add", {{"name", "vm1"}});
  net_.count("vm1", bridge::Ingress::frames, 77);
  const json stats = call("stats.get");
  EXPECT_EQ(stats["tsc_hz"], testing::FakeSwitch::kTscHz);
  const json& port = stats["ports"][0];
  EXPECT_EQ(port["name"], "vm1");
  EXPECT_EQ(port["ingress"]["frames"], 77);
  for (const auto& name : bridge::kIngressNames) EXPECT_TRUE(port["ingress"].contains(name));
  for (const auto& name : bridge::kEgressNames) EXPECT_TRUE(port["egress"].contains(name));
  for (const auto& name : bridge::kLearningNames) EXPECT_TRUE(port["learning"].contains(name));
  const json& worker = stats["workers"][0];
  EXPECT_EQ(worker, json({{"cpu", 0},
                          {"turns", 1000},
                          {"busy_turns", 400},
                          {"busy_cycles", 56000},
                          {"idle_cycles", 30000},
                          {"sleep_cycles", 14000},
                          {"sleeps", 3},
                          {"frames", 1000},
                          {"delivered", 990},
                          {"notifications", 12},
                          {"ports", {"vm1"}}}));
  EXPECT_EQ(failure("stats.get", {{"port", "ghost"}}).first, kRefused);
}

TEST_F(CommandsTest, SetsTheLogLevel) {
  const std::string before = log_level();
  EXPECT_EQ(call("log.set_level", {{"level", "debug"}})["level"], "debug");
  EXPECT_EQ(call("status")["log_level"], "debug");
  EXPECT_EQ(failure("log.set_level", {{"level", "loud"}}).first, kInvalidParams);
  call("log.set_level", {{"level", before}});
}

TEST_F(CommandsTest, Subscribes) {
  EXPECT_EQ(call("events.subscribe")["subscribed"], true);
  EXPECT_EQ(subscriptions_, 1);
}

TEST_F(CommandsTest, UnknownMethodsAndParametersAreErrors) {
  EXPECT_EQ(failure("port.paint").first, kMethodNotFound);
  for (const CommandRow& row : command_table()) {
    const auto [code, message] = failure(std::string(row.name), {{"unknown", 1}});
    EXPECT_EQ(code, kInvalidParams) << row.name << ": " << message;
  }
}

}  // namespace
}  // namespace control
