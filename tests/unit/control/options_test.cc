// The command line: every setting is an option, options override the file, mistakes name the
// option.
#include "control/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "client/default_paths.h"
#include "control/cpus.h"
#include "control/port_settings_table.h"
#include "control/switch_settings_table.h"
#include "control/value.h"
#include "expect_error.h"
#include "temporary_directory.h"

namespace control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"switchd", "--control-socket", "/run/test/control.sock"});
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

std::string error_for(const std::vector<const char*>& arguments) {
  return error_of<ConfigError>([&] { parse(arguments); });
}

TEST(Options, NeedNoFile) {
  const CommandLine line = parse({"--port", "vm1=/tmp/one.sock", "--port", "vm2", "--isolated",
                                  "vm2", "--poll", "busy", "--idle-us", "7"});
  EXPECT_EQ(line.action, CommandLine::Action::run);
  ASSERT_EQ(line.configuration.ports.size(), 2u);
  EXPECT_EQ(line.configuration.ports[0].settings.socket, "/tmp/one.sock");
  EXPECT_FALSE(line.configuration.ports[0].settings.rules.isolated);
  EXPECT_EQ(line.configuration.ports[1].settings.socket, "/run/test/vm2.sock");
  EXPECT_TRUE(line.configuration.ports[1].settings.rules.isolated);
  EXPECT_EQ(line.configuration.switching.poll, datapath::PollMode::busy);
  EXPECT_EQ(line.configuration.switching.idle.count(), 7);
}

TEST(Options, OverrideTheFile) {
  const testing::TemporaryDirectory directory;
  const std::string file = directory.write("switchd.toml",
                                           "[switch]\npoll = 'busy'\nidle_us = 7\n"
                                           "[[port]]\nname = 'a'\nisolated = true\nmac_limit = 3\n"
                                           "[[port]]\nname = 'b'\n");
  const CommandLine line = parse({"--config", file.c_str(), "--poll", "adaptive", "--port",
                                  "a=/tmp/a.sock", "--isolated", "a=false", "--mac-limit", "b=9"});
  EXPECT_EQ(line.configuration.switching.poll, datapath::PollMode::adaptive);
  EXPECT_EQ(line.configuration.switching.idle.count(), 7);
  ASSERT_EQ(line.configuration.ports.size(), 2u);
  EXPECT_EQ(line.configuration.ports[0].settings.socket, "/tmp/a.sock");
  EXPECT_FALSE(line.configuration.ports[0].settings.rules.isolated);
  EXPECT_EQ(line.configuration.ports[0].settings.rules.mac_limit, 3u);
  EXPECT_EQ(line.configuration.ports[1].settings.rules.mac_limit, 9u);
}

TEST(Options, WorkersTakeListsAndRanges) {
  const std::vector<int> allowed = allowed_cpus();
  std::string list = std::to_string(allowed.front());
  EXPECT_THAT(parse({"--workers", list.c_str()}).configuration.switching.workers,
              ElementsAre(allowed.front()));
  list += "-" + std::to_string(allowed.front());
  EXPECT_THAT(parse({"--workers", list.c_str()}).configuration.switching.workers,
              ElementsAre(allowed.front()));
  EXPECT_THAT(error_for({"--workers", "0,"}), HasSubstr("option --workers"));
  EXPECT_THAT(error_for({"--workers", "0-99999999999"}), HasSubstr("range"));
  EXPECT_THAT(error_for({"--workers", "8191"}), HasSubstr("may not run on CPU 8191"));
  const std::string twice = std::to_string(allowed.front()) + "," + std::to_string(allowed.front());
  EXPECT_THAT(error_for({"--workers", twice.c_str()}), HasSubstr("twice"));
}

TEST(Options, MistakesNameTheOption) {
  EXPECT_THAT(error_for({"--prot", "a"}), HasSubstr("--prot"));
  EXPECT_THAT(error_for({"stray"}), HasSubstr("command line"));
  EXPECT_THAT(error_for({"--port", "a", "--port", "a=/tmp/x"}),
              AllOf(HasSubstr("option --port a"), HasSubstr("twice")));
  EXPECT_THAT(error_for({"--port", "=/tmp/x"}), HasSubstr("option --port"));
  EXPECT_THAT(error_for({"--isolated", "ghost"}),
              AllOf(HasSubstr("option --isolated ghost"), HasSubstr("--port ghost")));
  EXPECT_THAT(error_for({"--port", "a", "--mac-limit", "a"}), HasSubstr("NAME=N"));
  EXPECT_THAT(error_for({"--port", "a", "--mac-limit", "a=few"}),
              HasSubstr("option --mac-limit a"));
  EXPECT_THAT(error_for({"--poll", "busy", "--poll", "adaptive"}),
              AllOf(HasSubstr("--poll"), HasSubstr("twice")));
  EXPECT_THAT(error_for({"--idle-us", "5x"}), HasSubstr("option --idle-us"));
  EXPECT_THAT(error_for({"--ready-fd", "99999"}), HasSubstr("option --ready-fd"));
  EXPECT_THAT(error_for({"--config", "/does/not/exist.toml"}), HasSubstr("/does/not/exist.toml"));
}

TEST(Options, OneSocketForTwoPorts) {
  EXPECT_THAT(error_for({"--port", "a=/tmp/x.sock", "--port", "b=/tmp/x.sock"}),
              AllOf(HasSubstr("option --port b"), HasSubstr("port 'a'")));
}

TEST(Options, HelpAndVersionAndCheck) {
  EXPECT_EQ(parse({"--help"}).action, CommandLine::Action::show_help);
  EXPECT_EQ(parse({"--version"}).action, CommandLine::Action::show_version);
  EXPECT_EQ(parse({"--check-config"}).action, CommandLine::Action::check_config);
}

TEST(Options, HelpKnowsEverySettingOfTheFile) {
  const std::string help = help_text();
  const auto option = [](std::string_view key) {
    std::string name = "--" + std::string(key);
    std::replace(name.begin(), name.end(), '_', '-');
    return name + " ";
  };
  for (const auto& row : switch_settings_table()) EXPECT_THAT(help, HasSubstr(option(row.key)));
  for (const auto& row : port_settings_table()) {
    if (row.key == "name" || row.key == "socket") continue;  // --port NAME=SOCKET
    EXPECT_THAT(help, HasSubstr(option(row.key)));
  }
  EXPECT_THAT(help, HasSubstr("--port NAME[=SOCKET]"));
}

TEST(DefaultPaths, FollowTheEnvironment) {
  setenv("RUNTIME_DIRECTORY", "/run/unit:/run/other", 1);
  setenv("STATE_DIRECTORY", "/var/lib/unit", 1);
  EXPECT_EQ(client::control_socket(), "/run/unit/control.sock");
  EXPECT_EQ(client::state_file(client::control_socket()), "/var/lib/unit/ports.json");
  EXPECT_EQ(client::state_file("/tmp/x/c.sock"), "/var/lib/unit/tmp-x-c.sock.json");
  unsetenv("RUNTIME_DIRECTORY");
  unsetenv("STATE_DIRECTORY");
}

}  // namespace
}  // namespace control
