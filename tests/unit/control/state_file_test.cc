// The state file: what is acknowledged is there after a restart, and nothing is lost silently.
#include "control/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "control/files.h"
#include "control/value.h"
#include "expect_error.h"
#include "temporary_directory.h"

namespace control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

PortConfig port(const std::string& name) {
  PortConfig port;
  port.settings.name = name;
  port.settings.socket = "/run/" + name + ".sock";
  return port;
}

bridge::MacAddress mac(const std::string& text) {
  return *bridge::MacAddress::parse(text);
}

class StateFileTest : public ::testing::Test {
 protected:
  testing::TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "ports.json";
};

TEST_F(StateFileTest, IsEmptyWithoutAFile) {
  const StateFile state(path_);
  EXPECT_TRUE(state.ports().empty());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StateFileTest, KeepsEverySettingOfAPort) {
  PortConfig all = port("vm1");
  all.settings.rules = {true, 7};
  all.settings.access.mode = 0600;
  all.settings.access.owner = 0;
  all.settings.access.group = 0;
  all.settings.access.allow_uid = {1000, 1001};
  all.settings.access.allow_gid = {44};
  all.static_macs = {mac("52:54:00:00:00:01")};
  StateFile(path_).add_port(all);
  const StateFile again(path_);
  ASSERT_EQ(again.ports().size(), 1u);
  EXPECT_EQ(again.ports()[0].settings, all.settings);
  EXPECT_THAT(again.macs(), ElementsAre(StaticMac{mac("52:54:00:00:00:01"), "vm1"}));
}

TEST_F(StateFileTest, ForgetsAPortWithItsAddresses) {
  StateFile state(path_);
  state.add_port(port("a"));
  state.add_port(port("b"));
  state.add_mac({mac("52:54:00:00:00:0a"), "a"});
  state.add_mac({mac("52:54:00:00:00:0b"), "b"});
  state.remove_port("a");
  const StateFile again(path_);
  ASSERT_EQ(again.ports().size(), 1u);
  EXPECT_EQ(again.ports()[0].settings.name, "b");
  EXPECT_THAT(again.macs(), ElementsAre(StaticMac{mac("52:54:00:00:00:0b"), "b"}));
}

TEST_F(StateFileTest, AnAddressIsKeptOnce) {
  StateFile state(path_);
  state.add_mac({mac("52:54:00:00:00:0a"), "a"});
  state.add_mac({mac("52:54:00:00:00:0a"), "b"});
  EXPECT_THAT(StateFile(path_).macs(), ElementsAre(StaticMac{mac("52:54:00:00:00:0a"), "b"}));
  state.remove_mac(mac("52:54:00:00:00:0a"));
  EXPECT_TRUE(StateFile(path_).macs().empty());
}

class BrokenStateFile : public StateFileTest,
                        public ::testing::WithParamInterface<std::pair<const char*, const char*>> {
};

TEST_P(BrokenStateFile, IsAnErrorThatNamesFileAndRemedy) {
  const auto& [content, reason] = GetParam();
  directory_.write("ports.json", content);
  EXPECT_THAT(error_of<ConfigError>([&] { StateFile state(path_); }),
              AllOf(HasSubstr(path_.string()), HasSubstr(reason), HasSubstr("move it away")));
  EXPECT_EQ(read_file(path_), content) << "a file that is not understood is left alone";
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenStateFile,
    ::testing::Values(
        std::pair("", "not JSON"), std::pair("{\"version\": 1, \"ports\": [{\"na", "not JSON"),
        std::pair("[]", "not JSON"), std::pair("{\"version\": 2}", "version"),
        std::pair("{\"version\": 1}", "'ports'"),
        std::pair("{\"version\": 1, \"ports\": []}", "'static_macs'"),
        std::pair(R"({"version": 1, "ports": [{}], "static_macs": []})", "'name'"),
        std::pair(R"({"version": 1, "ports": [{"name": "a"}], "static_macs": []})", "no socket"),
        std::pair(R"({"version": 1, "ports": [{"name": "a", "x": 1}], "static_macs": []})", "'x'"),
        std::pair(R"({"version": 1, "ports": [{"name": "a", "socket": "/a"},
                     {"name": "a", "socket": "/b"}], "static_macs": []})",
                  "twice"),
        std::pair(R"({"version": 1, "ports": [], "static_macs": [{"port": "a"}]})", "address 1")));

TEST_F(StateFileTest, WithoutAPlaceNothingCanBeKept) {
  StateFile state(std::nullopt);
  EXPECT_THAT(error_of<StateError>([&] { state.add_port(port("a")); }),
              AllOf(HasSubstr("--state-file"), HasSubstr("transient")));
  EXPECT_TRUE(state.ports().empty());
  EXPECT_NO_THROW(state.remove_port("a"));
}

// A disk that fills up is played by a limit on the size of files.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST_F(StateFileTest, AWriteThatFailsLeavesTheOldContent) {
  StateFile state(path_);
  state.add_port(port("a"));
  const auto before = read_file(path_);
  {
    const FileSizeLimit full(64);
    EXPECT_THAT(error_of<StateError>([&] { state.add_port(port("b")); }),
                AllOf(HasSubstr(path_.string()), HasSubstr("cannot be written")));
  }
  EXPECT_EQ(read_file(path_), before);
  EXPECT_FALSE(state.has_port("b"));
  EXPECT_FALSE(std::filesystem::exists(path_.string() + ".new"));
  state.add_port(port("c"));
  EXPECT_EQ(StateFile(path_).ports().size(), 2u);
}

TEST_F(StateFileTest, IsReplacedAndNeverRewritten) {
  StateFile state(path_);
  state.add_port(port("a"));
  std::filesystem::create_hard_link(path_, directory_ / "seen-by-a-reader");
  state.add_port(port("b"));
  EXPECT_EQ(StateFile(directory_ / "seen-by-a-reader").ports().size(), 1u);
  EXPECT_EQ(StateFile(path_).ports().size(), 2u);
}

}  // namespace
}  // namespace control
