// The monitor session against a monitor that does what a VMM may do.
#include "vmm/qemu/qmp_session.h"

#include <gmock/gmock.h>

#include <boost/asio/steady_timer.hpp>
#include <list>

#include "fake_monitor.h"
#include "fake_vmm.h"

namespace launcher::qemu {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class QmpSessionTest : public ::testing::Test {
 protected:
  ~QmpSessionTest() override { session_->close(); }

  void open(std::string first, std::vector<std::string> answers, size_t piece = 4096) {
    monitors_.emplace_back(loop_, socket_, std::move(first), std::move(answers));
    monitors_.back().piece = piece;
    finish(loop_, session_->open(socket_, 20s, limit_, life_));
  }

  asio::awaitable<json> command(const std::string& name, json arguments = {}) {
    return session_->execute({name, std::move(arguments)}, limit_);
  }

  TemporaryDirectory directory_;
  std::filesystem::path socket_ = directory_.path() / "qmp.sock";
  asio::io_context loop_;
  std::vector<json> events_;
  std::shared_ptr<ProcessLife> life_ = std::make_shared<ProcessLife>();
  std::shared_ptr<QmpSession> session_ =
      std::make_shared<QmpSession>(loop_, [this](const json& event) { events_.push_back(event); });
  std::list<FakeMonitor> monitors_;  // the last one is in use
  std::chrono::milliseconds limit_ = 20s;
};

TEST_F(QmpSessionTest, NegotiatesAndExecutes) {
  for (const size_t piece : {1, 5, 4096}) {
    std::filesystem::remove(socket_);
    session_ = std::make_shared<QmpSession>(loop_, nullptr);
    open(greeting, {good, "{\"return\": {\"status\": \"running\"}, \"id\": ID}\r\n"}, piece);
    EXPECT_EQ(finish(loop_, command("query-status")).at("status"), "running");
    EXPECT_EQ(monitors_.back().asked.at(0).at("execute"), "qmp_capabilities");
    EXPECT_FALSE(monitors_.back().asked.at(1).contains("arguments"));
  }
}

TEST_F(QmpSessionTest, ArgumentsAreSent) {
  open(greeting, {good, good});
  finish(loop_, command("device_del", {{"id", "net1"}}));
  EXPECT_EQ(monitors_.back().asked.at(1).at("arguments"), json({{"id", "net1"}}));
}

TEST_F(QmpSessionTest, EventsAmongAnswersAreTold) {
  const std::string reset = "{\"event\": \"RESET\", \"data\": {\"guest\": true}}\r\n";
  open(reset + greeting, {reset + good, reset + good + reset});
  finish(loop_, command("system_reset"));
  loop_.restart();
  loop_.run_for(10s);  // until the monitor has hung up
  EXPECT_EQ(events_.size(), 4u);
}

TEST_F(QmpSessionTest, RefusalIsToldInItsOwnWords) {
  open(greeting, {good,
                  "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'net7' not "
                  "found\"}, \"id\": ID}\r\n"});
  EXPECT_EQ(error_of(loop_, command("device_del")),
            "QEMU refused device_del: Device 'net7' not found");
}

TEST_F(QmpSessionTest, AnswerOfAnotherCommandIsNotTaken) {
  limit_ = 300ms;
  open(greeting, {good, "{\"return\": {}, \"id\": 77}\r\n{\"return\": {}}\r\n", good});
  EXPECT_EQ(error_of(loop_, command("cont")), "QEMU gave no answer to cont within 0.3 s");
}

TEST_F(QmpSessionTest, HangingUpEndsWhatWaits) {
  open(greeting, {good, ""});
  EXPECT_THAT(error_of(loop_, command("cont")), HasSubstr("QEMU hung up during cont"));
  EXPECT_TRUE(session_->ended());
  EXPECT_THAT(error_of(loop_, command("quit")), HasSubstr("QEMU hung up during quit"));
}

TEST_F(QmpSessionTest, WhatIsNoMessageEndsTheSession) {
  open(greeting, {good, "nonsense\r\n", good});
  EXPECT_THAT(error_of(loop_, command("cont")), HasSubstr("hung up"));
}

TEST_F(QmpSessionTest, MonitorThatDoesNotGreetIsAnError) {
  limit_ = 200ms;
  FakeMonitor silent(loop_, socket_, "", {good});
  const std::string words = error_of(loop_, session_->open(socket_, 20s, limit_, life_));
  EXPECT_THAT(words, HasSubstr("waits for the switch to listen"));
}

TEST_F(QmpSessionTest, SocketIsWaitedFor) {
  asio::steady_timer later(loop_, 100ms);
  later.async_wait([this](auto) {
    monitors_.emplace_back(loop_, socket_, greeting, std::vector<std::string>{good});
  });
  finish(loop_, session_->open(socket_, 20s, limit_, life_));
  EXPECT_EQ(monitors_.back().asked.size(), 1u);
}

TEST_F(QmpSessionTest, SocketThatNeverComesIsAnError) {
  const std::string words = error_of(loop_, session_->open(socket_, 100ms, limit_, life_));
  EXPECT_THAT(words, HasSubstr(socket_.string()));
  life_->ended = true;
  const std::string ended = error_of(loop_, session_->open(socket_, 20s, limit_, life_));
  EXPECT_THAT(ended, HasSubstr("the process has ended"));
}

}  // namespace
}  // namespace launcher::qemu
