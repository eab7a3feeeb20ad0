// The control socket with clients that behave and clients that do not.
#include "control/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <vector>

#include "control/json_rpc.h"
#include "control/session.h"
#include "expect_error.h"
#include "running_service.h"

namespace control {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RawClient;
using testing::RunningService;

int code(const json& answer) {
  return answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
}

TEST(ControlServer, AnswersOneLineForOne) {
  RunningService service;
  RawClient client(service.socket());
  EXPECT_EQ(client.ask("status")["result"]["ports"], 0);
  EXPECT_EQ(client.ask("port.add", {{"name", "vm1"}})["result"]["name"], "vm1");
  EXPECT_EQ(client.ask("status")["result"]["ports"], 1);
}

TEST(ControlServer, TheSocketIsPrivateUnlessToldOtherwise) {
  struct stat facts {};
  RunningService service;
  ASSERT_EQ(stat(service.socket().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  RunningService open([](Configuration& configuration) {
    configuration.control_socket_mode = 0660;
    configuration.control_socket_group = getgid();
  });
  ASSERT_EQ(stat(open.socket().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0660u);
  EXPECT_EQ(facts.st_gid, getgid());
}

TEST(ControlServer, WhatIsNotJsonCostsNothingButAnError) {
  RunningService service;
  RawClient client(service.socket());
  client.send("hello\n");
  EXPECT_EQ(code(client.object()), kParseError);
  client.send(std::string("\0\xff\n", 3));
  EXPECT_EQ(code(client.object()), kParseError);
  client.send("\n\r\n");
  EXPECT_EQ(client.ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, ALineInPiecesIsOneLine) {
  RunningService service;
  RawClient client(service.socket());
  client.send(R"({"jsonrpc":"2.0","id":1,)");
  RawClient other(service.socket());
  EXPECT_EQ(other.ask("status")["result"]["ports"], 0) << "half a line hinders nobody";
  client.send("\"method\":\"status\"}\n");
  EXPECT_EQ(client.object()["result"]["ports"], 0);
}

TEST(ControlServer, HalfALineAtTheEndIsNoRequest) {
  RunningService service;
  {
    RawClient client(service.socket());
    client.send(R"({"jsonrpc":"2.0","id":1,"method":"port.add","params":{"name":"vm1"}})");
    client.finish_sending();
    EXPECT_TRUE(client.ended());
  }
  RawClient other(service.socket());
  EXPECT_EQ(other.ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, AnswersWhoHasFinishedSending) {
  RunningService service;
  RawClient client(service.socket());
  client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
  client.send("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"port.list\"}\n");
  client.finish_sending();
  EXPECT_EQ(client.object()["id"], 1);
  EXPECT_EQ(client.object()["id"], 2);
  EXPECT_TRUE(client.ended());
}

TEST(ControlServer, ALineTooLongEndsTheConnection) {
  RunningService service;
  RawClient client(service.socket());
  client.send(std::string(Session::kMaxLine + 1, ' '));
  const json answer = client.object();
  EXPECT_EQ(code(answer), kInvalidRequest);
  EXPECT_THAT(answer["error"]["message"].get<std::string>(), HasSubstr("65536"));
  EXPECT_TRUE(client.ended());
  RawClient other(service.socket());
  EXPECT_EQ(other.ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, ALongestLineIsServed) {
  RunningService service;
  RawClient client(service.socket());
  std::string line = R"({"jsonrpc":"2.0","id":1,"method":"status"})";
  line += std::string(Session::kMaxLine - line.size() - 1, ' ') + "\n";
  ASSERT_EQ(line.size(), Session::kMaxLine);
  client.send(line);
  EXPECT_EQ(client.object()["result"]["ports"], 0);
}

TEST(ControlServer, ServesManyClientsAndTurnsTheRestAway) {
  RunningService service;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < ControlServer::kMaxClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(service.socket()));
    EXPECT_EQ(clients.back()->ask("status")["result"]["ports"], 0);
  }
  RawClient too_many(service.socket());
  EXPECT_EQ(code(too_many.object()), kRefused);
  EXPECT_TRUE(too_many.ended());
  EXPECT_EQ(clients.front()->ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, EventsGoToWhoSubscribed) {
  RunningService service;
  RawClient subscriber(service.socket());
  RawClient other(service.socket());
  EXPECT_EQ(subscriber.ask("events.subscribe")["result"]["subscribed"], true);
  EXPECT_EQ(other.ask("port.add", {{"name", "vm1"}})["result"]["name"], "vm1")
      << "no event comes in between";
  const json event = subscriber.object();
  EXPECT_EQ(event["method"], "event");
  EXPECT_FALSE(event.contains("id"));
  EXPECT_EQ(event["params"]["kind"], "port_added");
  EXPECT_EQ(event["params"]["port"], "vm1");
  EXPECT_THAT(event["params"]["time"].get<std::string>(), ::testing::ContainsRegex("^20.*Z$"));
}

// Sends events until `dropped` says so; each batch runs on the loop, and the client reads nothing.
TEST(ControlServer, ASubscriberThatDoesNotReadIsDropped) {
  RunningService service;
  RawClient slow(service.socket());
  EXPECT_EQ(slow.ask("events.subscribe")["result"]["subscribed"], true);
  const std::string detail(1000, 'x');
  const size_t enough = 4 * Session::kMaxPendingEvents / detail.size();
  for (size_t i = 0; i < enough; ++i) {
    service.on_loop([&] { service.net.report(datapath::Event::Kind::mac_moved, "vm1", detail); });
  }
  while (slow.line()) {
  }
  RawClient other(service.socket());
  EXPECT_EQ(other.ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, WhoAsksAndNeverReadsStopsItselfOnly) {
  RunningService service;
  service.on_loop([&] {
    for (int i = 0; i < 200; ++i) {
      const std::string name = "vm" + std::to_string(i);
      service.net.add_port({name, "/run/" + name + ".sock", {}, {}});
    }
  });
  RawClient greedy(service.socket());
  std::string requests;
  constexpr int kRequests = 100;
  for (int i = 0; i < kRequests; ++i) {
    requests += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) +
                R"(,"method":"port.list"})"
                "\n";
  }
  greedy.send(requests);
  RawClient other(service.socket());
  EXPECT_EQ(other.ask("status")["result"]["ports"], 200);
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(greedy.object()["id"], i);
}

TEST(ControlServer, ALiveSocketIsNotTaken) {
  RunningService service;
  EXPECT_THAT(testing::error_of<std::runtime_error>([&] {
                boost::asio::io_context loop;
                ControlServer second(loop, service.socket(), {}, nullptr);
              }),
              AllOf(HasSubstr(service.socket()), HasSubstr("in use")));
  RawClient client(service.socket());
  EXPECT_EQ(client.ask("status")["result"]["ports"], 0);
}

TEST(ControlServer, AStaleSocketIsTakenOverAndAtTheEndRemoved) {
  const testing::TemporaryDirectory directory;
  const std::string path = (directory / "c.sock").string();
  const int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  close(stale);
  {
    boost::asio::io_context loop;
    ControlServer server(loop, path, {}, nullptr);
    EXPECT_NO_THROW(RawClient{path});
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace control
