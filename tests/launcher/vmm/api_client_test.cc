// The client of cloud-hypervisor's API against a server of Beast's that does what a VMM may do.
#include "vmm/cloud_hypervisor/api_client.h"

#include <gmock/gmock.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "fake_vmm.h"

namespace launcher::cloud_hypervisor {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct Answer {
  http::status status = http::status::no_content;
  std::string body;
  size_t piece = 0;              // bytes at a time; 0: all at once
  size_t hang_up_after = ~0ull;  // bytes
  bool hang = false;             // says nothing, keeps the connection
};

// Keeps what it was asked, and answers everybody alike.
class FakeServer {
 public:
  FakeServer(asio::io_context& loop, const std::filesystem::path& path, Answer answer)
      : acceptor_(loop, UnixEndpoint(path.string())), answer_(std::move(answer)) {
    asio::co_spawn(loop, serve(), asio::detached);
  }

  http::request<http::string_body> asked;

 private:
  asio::awaitable<void> serve() {
    for (;;) {
      UnixSocket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      boost::beast::flat_buffer buffer;
      co_await http::async_read(socket, buffer, asked, asio::use_awaitable);
      if (answer_.hang) {
        hanging_.push_back(std::move(socket));
      } else {
        co_await say(std::move(socket));
      }
    }
  }

  asio::awaitable<void> say(UnixSocket socket) {
    http::response<http::string_body> response(answer_.status, 11, answer_.body);
    if (!answer_.body.empty()) response.prepare_payload();
    std::ostringstream text;
    text << response;
    const std::string all = text.str().substr(0, answer_.hang_up_after);
    const size_t piece = answer_.piece ? answer_.piece : std::max<size_t>(all.size(), 1);
    for (size_t at = 0; at < all.size(); at += piece) {
      const std::string part = all.substr(at, piece);
      const asio::const_buffer bytes = asio::buffer(part);
      co_await asio::async_write(socket, bytes, asio::use_awaitable);
    }
  }

  asio::local::stream_protocol::acceptor acceptor_;
  Answer answer_;
  std::vector<UnixSocket> hanging_;
};

class ApiClientTest : public ::testing::Test {
 protected:
  std::string error(const Request& request, Answer answer, std::chrono::milliseconds limit = 20s) {
    FakeServer server(loop_, socket_, std::move(answer));
    const std::string words = error_of(loop_, client_.call(request, limit));
    std::filesystem::remove(socket_);
    return words;
  }

  TemporaryDirectory directory_;
  std::filesystem::path socket_ = directory_.path() / "api.sock";
  asio::io_context loop_;
  ApiClient client_{socket_};
};

TEST_F(ApiClientTest, SendsWhatTheApiTakes) {
  FakeServer server(loop_, socket_, {});
  EXPECT_TRUE(finish(loop_, client_.call(remove_device("net1"), 20s)).is_null());
  EXPECT_EQ(server.asked.method(), http::verb::put);
  EXPECT_EQ(server.asked.target(), "/api/v1/vm.remove-device");
  EXPECT_EQ(server.asked["Content-Type"], "application/json");
  EXPECT_EQ(json::parse(server.asked.body()), json({{"id", "net1"}}));
}

TEST_F(ApiClientTest, RequestWithoutBodyHasALengthOfNone) {
  FakeServer server(loop_, socket_, {});
  finish(loop_, client_.call(boot(), 20s));
  EXPECT_EQ(server.asked.body(), "");
  EXPECT_EQ(server.asked["Content-Type"], "");
}

TEST_F(ApiClientTest, BodyOfAnAnswerIsReturned) {
  FakeServer server(loop_, socket_, {http::status::ok, R"({"id":"net1","bdf":"0000:00:05.0"})"});
  EXPECT_EQ(finish(loop_, client_.call(info(), 20s)).at("bdf"), "0000:00:05.0");
  EXPECT_EQ(server.asked.method(), http::verb::get);
}

TEST_F(ApiClientTest, AnswerSplitAnywhereIsTheSame) {
  for (const size_t piece : {1, 3, 17}) {
    FakeServer server(loop_, socket_, {http::status::ok, R"({"state":"Running"})", piece});
    EXPECT_EQ(finish(loop_, client_.call(info(), 20s)).at("state"), "Running");
    std::filesystem::remove(socket_);
  }
}

TEST_F(ApiClientTest, RefusalIsToldInItsOwnWords) {
  const std::string reasons = R"(["Error from API","The VM could not boot","VM is not created"])";
  const std::vector<http::status> refusals = {
      http::status::bad_request, http::status::not_found, http::status::conflict,
      http::status::too_many_requests, http::status::internal_server_error};
  for (const http::status status : refusals) {
    EXPECT_EQ(error(boot(), {status, reasons}),
              "cloud-hypervisor refused vm.boot (" + std::to_string(static_cast<unsigned>(status)) +
                  "): Error from API: The VM could not boot: VM is not created");
  }
}

TEST_F(ApiClientTest, RefusalInAnyOtherFormIsTold) {
  EXPECT_THAT(error(boot(), {http::status::internal_server_error, "no list"}),
              HasSubstr("(500): no list"));
  EXPECT_THAT(error(boot(), {http::status::not_found, ""}), HasSubstr("(404): it gave no reason"));
}

TEST_F(ApiClientTest, WordsThatWouldWriteOnATerminalAreCleaned) {
  const std::string words = error(boot(), {http::status::bad_request, "[\"a\\u001b[2Jb\\n\"]"});
  EXPECT_THAT(words, HasSubstr("a [2Jb "));
  EXPECT_LT(error(boot(), {http::status::bad_request, std::string(100'000, 'x')}).size(), 3000u);
}

TEST_F(ApiClientTest, SilenceIsAnErrorAfterTheLimit) {
  Answer silence;
  silence.hang = true;
  EXPECT_EQ(error(boot(), silence, 200ms),
            "cloud-hypervisor gave no answer to vm.boot within 0.2 s");
}

TEST_F(ApiClientTest, HangingUpIsAnError) {
  for (const size_t bytes : {0, 1, 20}) {
    Answer part;
    part.hang_up_after = bytes;
    EXPECT_EQ(error(boot(), part), "cloud-hypervisor hung up during vm.boot; its log says why")
        << bytes;
  }
}

TEST_F(ApiClientTest, AnswerThatIsNoJsonIsAnError) {
  EXPECT_THAT(error(info(), {http::status::ok, "{"}), HasSubstr("no JSON"));
}

TEST_F(ApiClientTest, BodyWithoutEndIsNotCollected) {
  EXPECT_THAT(error(info(), {http::status::ok, std::string(3 << 20, 'x')}),
              HasSubstr("more than 1048576 bytes"));
}

TEST_F(ApiClientTest, NobodyThereIsAnError) {
  EXPECT_THAT(error_of(loop_, client_.call(ping(), 20s)), HasSubstr("vmm.ping: No such file"));
}

TEST_F(ApiClientTest, PathTooLongForASocketIsAnError) {
  ApiClient client(directory_.path() / std::string(120, 'x'));
  EXPECT_THAT(error_of(loop_, client.call(ping(), 20s)), HasSubstr("107 bytes"));
}

}  // namespace
}  // namespace launcher::cloud_hypervisor
