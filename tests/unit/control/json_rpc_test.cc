// JSON-RPC 2.0: which error for which mistake, and when there is no answer.
#include "control/json_rpc.h"

#include <gtest/gtest.h>

#include <new>
#include <string>

namespace control {
namespace {

using nlohmann::json;

json serve(const std::string& method, const json& params) {
  if (method == "echo") return params;
  if (method == "refuse") throw RpcFailure(kRefused, "no\xff");
  if (method == "break") throw std::bad_alloc();
  throw RpcFailure(kMethodNotFound, "no such method");
}

json ask(const std::string& line) {
  const std::string reply = answer(line, serve);
  EXPECT_EQ(reply.back(), '\n');
  EXPECT_EQ(reply.find('\n'), reply.size() - 1) << "one object a line";
  return json::parse(reply);
}

int error_code(const std::string& line) {
  const json reply = ask(line);
  EXPECT_EQ(reply.value("jsonrpc", ""), "2.0");
  EXPECT_TRUE(reply.contains("id"));
  return reply.contains("error") ? reply["error"]["code"].get<int>() : 0;
}

TEST(JsonRpc, AnswersWithTheSameId) {
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":7,"method":"echo","params":{"a":[1]}})"),
            json({{"jsonrpc", "2.0"}, {"id", 7}, {"result", {{"a", {1}}}}}));
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":"x","method":"echo"})")["id"], "x");
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":"x","method":"echo"})")["result"], json::object());
}

TEST(JsonRpc, MistakesHaveTheirCodes) {
  EXPECT_EQ(error_code("hello"), kParseError);
  EXPECT_EQ(error_code("{\"jsonrpc\""), kParseError);
  EXPECT_EQ(error_code("\xff\xfe"), kParseError);
  EXPECT_EQ(error_code(std::string(60'000, '[')), kParseError);
  EXPECT_EQ(error_code("1"), kInvalidRequest);
  EXPECT_EQ(error_code("[]"), kInvalidRequest);
  EXPECT_EQ(error_code(R"([{"jsonrpc":"2.0","id":1,"method":"echo"}])"), kInvalidRequest);
  EXPECT_EQ(error_code("{}"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"id":1,"method":"echo"})"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"jsonrpc":"1.0","id":1,"method":"echo"})"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":1,"method":7})"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":{},"method":"echo"})"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":1,"method":"echo","more":1})"), kInvalidRequest);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":1,"method":"paint"})"), kMethodNotFound);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":[1]})"), kInvalidParams);
  EXPECT_EQ(error_code(R"({"jsonrpc":"2.0","id":1,"method":"break"})"), kInternalError);
}

TEST(JsonRpc, TextThatIsNotUtf8IsRepaired) {
  const json reply = ask(R"({"jsonrpc":"2.0","id":1,"method":"refuse"})");
  EXPECT_EQ(reply["error"]["code"], kRefused);
  EXPECT_EQ(reply["error"]["message"], "no\xef\xbf\xbd");
}

TEST(JsonRpc, NotificationsHaveNoAnswer) {
  EXPECT_EQ(answer(R"({"jsonrpc":"2.0","method":"echo"})", serve), "");
  EXPECT_EQ(answer(R"({"jsonrpc":"2.0","method":"paint"})", serve), "");
}

}  // namespace
}  // namespace control
