// switchctl end to end: its words, over a real socket, against the service on a fake switch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "ctl/cli.h"
#include "ctl/table.h"
#include "running_service.h"

namespace control {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int status = -1;
  std::string out;
  std::string error;
};

class SwitchctlTest : public ::testing::Test {
 protected:
  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), {"--socket", service_.socket()});
    std::ostringstream out;
    std::ostringstream error;
    const int status = switchctl::run(words, out, error);
    return {status, out.str(), error.str()};
  }

  std::string output(const std::vector<std::string>& words) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_EQ(outcome.error, "");
    return outcome.out;
  }

  json result(std::vector<std::string> words) {
    words.insert(words.begin(), "--json");
    return json::parse(output(words));
  }

  testing::RunningService service_;
};

TEST_F(SwitchctlTest, AddsShowsAndRemovesPorts) {
  EXPECT_THAT(
      output({"port", "add", "vm1", "--isolated", "--mac-limit", "5", "--mode", "0600",
              "--allow-uid", "root", "--allow-uid", "1000", "--static-mac", "52:54:00:00:00:01"}),
      HasSubstr("vm1 listens on"));
  const json port = result({"port", "show", "vm1", "--messages"});
  EXPECT_EQ(port["isolated"], true);
  EXPECT_EQ(port["mac_limit"], 5);
  EXPECT_EQ(port["socket_mode"], "0600");
  EXPECT_EQ(port["allow_uid"], json({0, 1000}));
  EXPECT_EQ(port["messages"].size(), 2u);
  EXPECT_THAT(output({"port", "list"}),
              AllOf(HasSubstr("NAME"), HasSubstr("vm1"), HasSubstr("listening")));
  EXPECT_THAT(output({"port", "show", "vm1", "--messages"}),
              AllOf(HasSubstr("mac_limit"), HasSubstr("VHOST_USER_SET_OWNER")));
  EXPECT_EQ(result({"port", "remove", "vm1"})["removed"], "vm1");
  EXPECT_EQ(result({"port", "list"})["ports"], json::array());
}

TEST_F(SwitchctlTest, AddsAPortWhoseVmmListens) {
  EXPECT_THAT(output({"port", "add", "vm1", "--client"}), HasSubstr("vm1 connects to"));
  EXPECT_EQ(result({"port", "show", "vm1"})["mode"], "client");
}

TEST_F(SwitchctlTest, TransientPortsAreNotKept) {
  output({"port", "add", "vm1", "--transient", "--socket-path", "/tmp/x.sock"});
  EXPECT_EQ(result({"port", "show", "vm1"})["origin"], "transient");
  EXPECT_EQ(result({"port", "show", "vm1"})["socket"], "/tmp/x.sock");
}

TEST_F(SwitchctlTest, ForceRemovesAPortWithAGuest) {
  output({"port", "add", "vm1"});
  service_.on_loop([&] { service_.net.attach("vm1"); });
  const Outcome refused = run({"port", "remove", "vm1"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.error, HasSubstr("--force"));
  EXPECT_EQ(refused.out, "");
  output({"port", "remove", "vm1", "--force"});
}

TEST_F(SwitchctlTest, HandlesTheMacTable) {
  output({"port", "add", "vm1"});
  EXPECT_THAT(output({"mac", "add", "52:54:00:00:00:01", "vm1"}), HasSubstr("lives on port vm1"));
  service_.on_loop(
      [&] { service_.net.learn(*bridge::MacAddress::parse("52:54:00:00:00:02"), "vm1"); });
  EXPECT_THAT(output({"mac", "list", "--port", "vm1"}),
              AllOf(HasSubstr("static"), HasSubstr("learned"), HasSubstr("7 s")));
  EXPECT_THAT(output({"mac", "flush", "vm1"}), HasSubstr("1 addresses"));
  EXPECT_EQ(result({"mac", "flush"})["flushed"], 0);
  output({"mac", "remove", "52:54:00:00:00:01"});
  EXPECT_EQ(result({"mac", "list"})["macs"], json::array());
}

TEST_F(SwitchctlTest, ShowsStatusAndCounters) {
  output({"port", "add", "vm1"});
  service_.on_loop([&] {
    service_.net.count("vm1", bridge::Ingress::frames, 1234);
    service_.net.count("vm1", bridge::Ingress::drop_runt, 5);
  });
  EXPECT_THAT(output({"status"}), AllOf(HasSubstr("x86-64-v3"), HasSubstr("1 d 01:01:01")));
  // 56000 busy cycles over 1000 frames.
  EXPECT_THAT(output({"stats"}), AllOf(HasSubstr("1234"), HasSubstr("ingress drop_runt"),
                                       HasSubstr("56 "), HasSubstr("56 %")));
  EXPECT_EQ(result({"stats", "--port", "vm1"})["ports"][0]["ingress"]["frames"], 1234);
}

TEST_F(SwitchctlTest, WatchesRates) {
  output({"port", "add", "vm1"});
  service_.on_loop([&] { service_.net.count("vm1", bridge::Ingress::frames, 1000); });
  EXPECT_THAT(output({"stats", "--watch", "0.01", "--count", "2"}), HasSubstr("IN FRAMES/S"));
  const json change = result({"stats", "--watch", "0.01", "--count", "1"});
  EXPECT_EQ(change["ports"][0]["ingress"]["frames"], 0) << "changes, not totals";
  EXPECT_EQ(change["workers"][0]["cpu"], 0);
  EXPECT_GT(change["seconds"].get<double>(), 0.0);
}

TEST_F(SwitchctlTest, FollowsEvents) {
  std::future<std::string> events = std::async(std::launch::async, [&] {
    return output({"events", "--count", "1"});
  });
  // The subscription is on its way: events happen until one arrives.
  while (events.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) {
    service_.on_loop(
        [&] { service_.net.report(datapath::Event::Kind::port_faulted, "vm1", "a reason"); });
  }
  EXPECT_THAT(events.get(),
              AllOf(HasSubstr("port_faulted"), HasSubstr("vm1"), HasSubstr("a reason")));
}

TEST_F(SwitchctlTest, SetsTheLogLevel) {
  EXPECT_THAT(output({"log-level", "warning"}), HasSubstr("warning"));
  const Outcome wrong = run({"log-level", "loud"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.error, HasSubstr("critical"));
  output({"log-level", "info"});
}

TEST_F(SwitchctlTest, WrongUsageHasAStatusOfItsOwn) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"port"},
                                             {"port", "paint"},
                                             {"port", "add"},
                                             {"port", "add", "a", "b"},
                                             {"port", "add", "a", "--colour"},
                                             {"stats", "5"},
                                             {"stats", "--watch", "soon"},
                                             {"status", "now"},
                                             {"mac", "add", "52:54:00:00:00:01"}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(words);
    EXPECT_THAT(outcome.error, HasSubstr("switchctl: "));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(SwitchctlTest, HelpNamesEveryCommand) {
  const std::string help = output({"--help"});
  for (const auto& row : switchctl::command_table()) {
    EXPECT_THAT(help, HasSubstr(std::string(row.words)));
  }
}

TEST(Switchctl, SaysWhatToDoWhenNobodyAnswers) {
  const testing::TemporaryDirectory directory;
  std::ostringstream out;
  std::ostringstream error;
  const std::string path = (directory / "none.sock").string();
  EXPECT_EQ(switchctl::run({"--socket", path, "status"}, out, error), 1);
  EXPECT_THAT(error.str(),
              AllOf(HasSubstr(path), HasSubstr("is switchd running?"), HasSubstr("--socket")));
  EXPECT_EQ(out.str(), "");
}

TEST(Table, AlignsItsColumns) {
  switchctl::Table table({"NAME", ">COUNT", "LAST"});
  table.add({"a", "1", "x"});
  table.add({"longer", "12345678", ""});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(),
            "NAME       COUNT  LAST\n"
            "a              1  x\n"
            "longer  12345678\n");
}

TEST(Table, ShortNumbersKeepThreeDigits) {
  EXPECT_EQ(switchctl::short_number(0), "0");
  EXPECT_EQ(switchctl::short_number(999), "999");
  EXPECT_EQ(switchctl::short_number(1000), "1.0 k");
  EXPECT_EQ(switchctl::short_number(14'600'000), "14.6 M");
  EXPECT_EQ(switchctl::short_number(145'600'000), "146 M");
}

}  // namespace
}  // namespace control
