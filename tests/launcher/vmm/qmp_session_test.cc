// The monitor session against a monitor that does what a VMM may do.
#include "vmm/qemu/qmp_session.h"

#include <gmock/gmock.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>

#include "fake_vmm.h"

namespace launcher::qemu {
namespace {

namespace asio = boost::asio;
using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Says `greeting`, then for each line it gets the next of `answers`; "ID" in one is the command's.
// The end of `answers` is the end of the connection.
class FakeMonitor {
 public:
  FakeMonitor(asio::io_context& loop, const std::filesystem::path& path, std::string greeting,
              std::vector<std::string> answers)
      : acceptor_(loop, UnixEndpoint(path.string())),
        greeting_(std::move(greeting)),
        answers_(std::move(answers)) {
    asio::co_spawn(loop, serve(), asio::detached);
  }

  std::vector<json> asked;
  size_t piece = 4096;  // bytes at a time

 private:
  asio::awaitable<void> serve() {
    UnixSocket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    co_await say(socket, greeting_);
    std::string buffer;
    for (const std::string& answer : answers_) {
      auto dynamic = asio::dynamic_buffer(buffer);
      const size_t end =
          co_await asio::async_read_until(socket, dynamic, '\n', asio::use_awaitable);
      asked.push_back(json::parse(buffer.substr(0, end)));
      buffer.erase(0, end);
      std::string text = answer;
      const size_t id = text.find("ID");
      if (id != std::string::npos) text.replace(id, 2, asked.back().at("id").dump());
      co_await say(socket, text);
    }
  }

  asio::awaitable<void> say(UnixSocket& socket, std::string text) {
    for (size_t at = 0; at < text.size(); at += piece) {
      const std::string part = text.substr(at, piece);
      const asio::const_buffer bytes = asio::buffer(part);
      co_await asio::async_write(socket, bytes, asio::use_awaitable);
    }
  }

  asio::local::stream_protocol::acceptor acceptor_;
  std::string greeting_;
  std::vector<std::string> answers_;
};

const std::string greeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
const std::string good = "{\"return\": {}, \"id\": ID}\r\n";

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
