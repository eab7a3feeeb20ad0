// The configuration file: what it may say, and that each mistake is told with file, line and key.
#include "control/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "control/configuration.h"
#include "control/cpus.h"
#include "control/value.h"
#include "expect_error.h"
#include "temporary_directory.h"

namespace control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Configuration parse(const std::string& text) {
  Configuration configuration;
  read_config(text, "switchd.toml", configuration);
  return configuration;
}

Configuration parse_all(const std::string& text) {
  Configuration configuration =
      parse("[switch]\ncontrol_socket = '/run/test/control.sock'\n" + text);
  complete(configuration);
  return configuration;
}

TEST(Config, ReadsEveryKey) {
  const std::string cpu = std::to_string(allowed_cpus().front());
  Configuration configuration = parse(
      "[switch]\n"
      "socket_dir = '/run/a'\ncontrol_socket = '/run/a/c.sock'\ncontrol_socket_mode = '0660'\n"
      "control_socket_group = 0\nprivate_dir = '/run/a/private'\nstate_file = '/var/lib/a.json'\n"
      "workers = [" +
      cpu +
      "]\npoll = 'busy'\nidle_us = 20\nmac_ageing_s = 60\n"
      "mac_table_size = 1000\ncpu_level = 'x86-64-v2'\nlog_level = 'debug'\n"
      "[[port]]\nname = 'vm1'\nsocket = '/run/a/one.sock'\nisolated = true\nmac_limit = 4\nmtu = "
      "1500\nqueues = 2\npacked = true\n"
      "socket_mode = 0o600\nsocket_owner = 'root'\nsocket_group = 0\n"
      "allow_uid = ['root', 1000]\nallow_gid = 7\nstatic_macs = ['52:54:00:00:00:01']\n"
      "[[port]]\nname = 'vm2'\n");
  EXPECT_EQ(configuration.socket_dir, "/run/a");
  EXPECT_EQ(configuration.control_socket, "/run/a/c.sock");
  EXPECT_EQ(configuration.control_socket_mode, 0660u);
  EXPECT_EQ(configuration.control_socket_group, gid_t{0});
  EXPECT_EQ(configuration.switching.runtime_dir, "/run/a/private");
  EXPECT_EQ(configuration.state_file, "/var/lib/a.json");
  EXPECT_THAT(configuration.switching.workers, ElementsAre(allowed_cpus().front()));
  EXPECT_EQ(configuration.switching.poll, datapath::PollMode::busy);
  EXPECT_EQ(configuration.switching.idle.count(), 20);
  EXPECT_EQ(configuration.switching.mac_ageing.count(), 60);
  EXPECT_EQ(configuration.switching.mac_table_size, 1000u);
  EXPECT_EQ(configuration.switching.cpu_level, "x86-64-v2");
  EXPECT_EQ(configuration.log_level, "debug");
  ASSERT_EQ(configuration.ports.size(), 2u);
  const PortConfig& port = configuration.ports[0];
  EXPECT_EQ(port.settings.name, "vm1");
  EXPECT_EQ(port.settings.socket, "/run/a/one.sock");
  EXPECT_TRUE(port.settings.rules.isolated);
  EXPECT_EQ(port.settings.rules.mac_limit, 4u);
  EXPECT_EQ(port.settings.mtu, 1500u);
  EXPECT_EQ(port.settings.queues, 2u);
  EXPECT_TRUE(port.settings.packed);
  EXPECT_EQ(port.settings.access.mode, 0600u);
  EXPECT_EQ(port.settings.access.owner, uid_t{0});
  EXPECT_EQ(port.settings.access.group, gid_t{0});
  EXPECT_THAT(port.settings.access.allow_uid, ElementsAre(0, 1000));
  EXPECT_THAT(port.settings.access.allow_gid, ElementsAre(7));
  ASSERT_EQ(port.static_macs.size(), 1u);
  EXPECT_EQ(port.static_macs[0].to_string(), "52:54:00:00:00:01");
}

TEST(Config, FillsInWhatIsNotGiven) {
  const Configuration configuration = parse_all("[[port]]\nname = 'vm1'\n");
  EXPECT_EQ(configuration.socket_dir, "/run/test");
  EXPECT_EQ(configuration.ports.at(0).settings.socket, "/run/test/vm1.sock");
  EXPECT_EQ(configuration.switching.runtime_dir, "/run/test/control.private");
  EXPECT_THAT(configuration.switching.workers, ElementsAre(allowed_cpus().back()));
  EXPECT_EQ(configuration.switching.poll, datapath::PollMode::adaptive);
  EXPECT_EQ(configuration.switching.idle.count(), 50);
  EXPECT_EQ(configuration.switching.mac_ageing.count(), 300);
  EXPECT_EQ(configuration.ports.at(0).settings.rules.mac_limit, 1024u);
  EXPECT_EQ(configuration.ports.at(0).settings.mtu, std::nullopt);
  EXPECT_EQ(configuration.ports.at(0).settings.queues, 16u);
  EXPECT_FALSE(configuration.ports.at(0).settings.packed);
  EXPECT_EQ(configuration.ports.at(0).settings.access.mode, 0660u);
}

struct Mistake {
  const char* name;
  std::string text;
  std::string where;  // how the message starts
  std::string what;   // and what it holds
};

class ConfigMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsToldWithFileLineAndKey) {
  const Mistake& mistake = GetParam();
  EXPECT_THAT(error_of<ConfigError>([&] { parse_all(mistake.text); }),
              AllOf(StartsWith(mistake.where), HasSubstr(mistake.what)));
}

// parse_all() puts two lines in front.
const Mistake kMistakes[] = {
    {"not_toml", "workers = [\n", "switchd.toml:", "not TOML"},
    {"key_twice", "poll = 'busy'\npoll = 'busy'\n", "switchd.toml:4", "poll"},
    {"unknown_table", "[switches]\n", "switchd.toml:3: key 'switches'", "[[port]]"},
    {"unknown_switch_key", "pol = 'busy'\n", "switchd.toml:3: key 'pol'", "idle_us"},
    {"unknown_port_key", "[[port]]\nname = 'a'\ncolour = 1\n", "switchd.toml:5: key 'colour'",
     "mac_limit"},
    {"port_as_table", "[port]\nname = 'a'\n", "switchd.toml:3: key 'port'", "[[port]]"},
    {"no_name", "[[port]]\nisolated = true\n", "switchd.toml:3: [[port]]", "'name' is missing"},
    {"bad_name", "[[port]]\nname = 'a/b'\n", "switchd.toml:4: key 'name'", "no port name"},
    {"name_twice", "[[port]]\nname = 'a'\n[[port]]\nname = 'a'\n", "switchd.toml:6: key 'name'",
     "switchd.toml:4"},
    {"text_for_flag", "[[port]]\nname = 'a'\nisolated = 'yes'\n", "switchd.toml:5: key 'isolated'",
     "true or false"},
    {"flag_for_number", "[[port]]\nname = 'a'\nmac_limit = true\n",
     "switchd.toml:5: key 'mac_limit'", "whole number"},
    {"mode", "[[port]]\nname = 'a'\nmode = 'both'\n", "switchd.toml:5: key 'mode'", "\"client\""},
    {"mtu_too_small", "[[port]]\nname = 'a'\nmtu = 1279\n", "switchd.toml:5: key 'mtu'", "1280"},
    {"mtu_too_large", "[[port]]\nname = 'a'\nmtu = 9217\n", "switchd.toml:5: key 'mtu'", "9216"},
    {"no_queues", "[[port]]\nname = 'a'\nqueues = 0\n", "switchd.toml:5: key 'queues'", "1"},
    {"many_queues", "[[port]]\nname = 'a'\nqueues = 17\n", "switchd.toml:5: key 'queues'", "16"},
    {"number_out_of_range", "mac_ageing_s = 0\n", "switchd.toml:3: key 'mac_ageing_s'",
     "out of range"},
    {"float_for_number", "idle_us = 1.5\n", "switchd.toml:3: key 'idle_us'", "whole number"},
    {"text_for_list", "workers = '0'\n", "switchd.toml:3: key 'workers'", "list"},
    {"impossible_cpu", "workers = [8191]\n", "switchd.toml:3: key 'workers'",
     "may not run on CPU 8191"},
    {"no_cpu", "workers = []\n", "switchd.toml:3: key 'workers'", "at least one"},
    {"poll", "poll = 'sometimes'\n", "switchd.toml:3: key 'poll'", "\"adaptive\""},
    {"cpu_level", "cpu_level = 'best'\n", "switchd.toml:3: key 'cpu_level'", "x86-64-v3"},
    {"log_level", "log_level = 'loud'\n", "switchd.toml:3: key 'log_level'", "warning"},
    {"relative_path", "socket_dir = 'here'\n", "switchd.toml:3: key 'socket_dir'", "absolute"},
    {"decimal_mode", "[[port]]\nname = 'a'\nsocket_mode = 660\n",
     "switchd.toml:5: key 'socket_mode'", "octal"},
    {"mode_beyond_permissions", "[[port]]\nname = 'a'\nsocket_mode = '4660'\n",
     "switchd.toml:5: key 'socket_mode'", "octal"},
    {"unknown_user", "[[port]]\nname = 'a'\nallow_uid = ['nobody-at-all']\n",
     "switchd.toml:5: key 'allow_uid'", "no user 'nobody-at-all'"},
    {"unknown_group", "[[port]]\nname = 'a'\nsocket_group = 'nobody-at-all'\n",
     "switchd.toml:5: key 'socket_group'", "no group 'nobody-at-all'"},
    {"group_address", "[[port]]\nname = 'a'\nstatic_macs = ['01:00:00:00:00:01']\n",
     "switchd.toml:5: key 'static_macs'", "01:00:00:00:00:01"},
    {"address_on_two_ports",
     "[[port]]\nname = 'a'\nstatic_macs = ['52:54:00:00:00:01']\n"
     "[[port]]\nname = 'b'\nstatic_macs = ['52:54:00:00:00:01']\n",
     "switchd.toml:8: key 'static_macs'", "port 'a'"},
    {"one_socket_for_two",
     "[[port]]\nname = 'a'\nsocket = '/run/x.sock'\n[[port]]\nname = 'b'\nsocket = "
     "'/run/y/../x.sock'\n",
     "switchd.toml:8: key 'socket'", "port 'a'"},
    {"control_socket_for_port", "[[port]]\nname = 'a'\nsocket = '/run/test/control.sock'\n",
     "switchd.toml:5: key 'socket'", "control socket"},
    {"socket_too_long", "[[port]]\nname = 'a'\nsocket = '/" + std::string(107, 's') + "'\n",
     "switchd.toml:5: key 'socket'", "107"},
    {"default_socket_too_long",
     "socket_dir = '/" + std::string(100, 's') + "'\n[[port]]\nname = 'abcdef'\n",
     "switchd.toml:4: [[port]]", "107"},
    {"unknown_drop_user", "user = 'nobody-at-all'\n", "switchd.toml:3: key 'user'",
     "no user 'nobody-at-all'"},
};

INSTANTIATE_TEST_SUITE_P(All, ConfigMistake, ::testing::ValuesIn(kMistakes),
                         [](const auto& mistake) { return mistake.param.name; });

TEST(Config, TellsOfAFileThatCannotBeRead) {
  const testing::TemporaryDirectory directory;
  Configuration configuration;
  EXPECT_THAT(
      error_of<ConfigError>([&] { read_config_file(directory / "none.toml", configuration); }),
      AllOf(HasSubstr("none.toml"), HasSubstr("no such")));
  EXPECT_THAT(error_of<ConfigError>([&] { read_config_file(directory.path(), configuration); }),
              HasSubstr("cannot be read"));
}

TEST(Config, TakesALongestSocketPath) {
  EXPECT_NO_THROW(parse_all("[[port]]\nname = 'a'\nsocket = '/" + std::string(106, 's') + "'\n"));
}

TEST(Config, TakesAsManyPortsAsASwitchHas) {
  std::string text;
  for (unsigned i = 0; i < datapath::kMaxPorts; ++i) {
    text += "[[port]]\nname = 'p" + std::to_string(i) + "'\n";
  }
  EXPECT_NO_THROW(parse_all(text));
  EXPECT_THAT(error_of<ConfigError>([&] { parse_all(text + "[[port]]\nname = 'more'\n"); }),
              HasSubstr("256"));
}

TEST(PortAccess, OwnerAndGroupNeedTheRightToSetThem) {
  Identity identity;
  identity.uid = 1000;
  identity.gid = 1000;
  identity.groups = {27};
  PortConfig port;
  port.settings.socket = "/run/a.sock";
  port.origin = "switchd.toml:1: [[port]]";
  port.settings.access.owner = 1000;
  port.settings.access.group = 27;
  EXPECT_NO_THROW(check_port(port, identity));
  port.settings.access.group = 28;
  EXPECT_THAT(error_of<ConfigError>([&] { check_port(port, identity); }), HasSubstr("group 28"));
  identity.may_join_groups = true;
  EXPECT_NO_THROW(check_port(port, identity));
  port.settings.access.owner = 0;
  EXPECT_THAT(error_of<ConfigError>([&] { check_port(port, identity); }), HasSubstr("user 0"));
  identity.may_chown = true;
  EXPECT_NO_THROW(check_port(port, identity));
}

}  // namespace
}  // namespace control
