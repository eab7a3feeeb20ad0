#include "vmm/cloud_hypervisor/api_client.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>

#include "vmm/control_socket.h"

namespace launcher::cloud_hypervisor {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using nlohmann::json;

namespace {

using Stream = beast::basic_stream<asio::local::stream_protocol>;
using HttpRequest = http::request<http::string_body>;
using Milliseconds = std::chrono::milliseconds;

constexpr size_t most_body = 1 << 20;  // vm.info of a large VM has some 20 kB
constexpr size_t most_words = 2000;

HttpRequest http_request(const Request& request) {
  HttpRequest message(request.verb == Verb::get ? http::verb::get : http::verb::put,
                      "/api/v1/" + request.endpoint, 11);
  message.set(http::field::host, "localhost");
  message.set(http::field::accept, "application/json");
  if (!request.body.is_null()) {
    message.set(http::field::content_type, "application/json");
    message.body() = request.body.dump();
  }
  message.prepare_payload();
  return message;
}

// Throws when there is an error, with what was being done.
void check(const boost::system::error_code& error, const Request& request, Milliseconds limit) {
  if (!error) return;
  const std::string about = request.endpoint;
  if (error == beast::error::timeout) {
    const auto seconds = std::chrono::duration<double>(limit).count();
    throw VmmError("cloud-hypervisor gave no answer to " + about + " within " +
                   json(seconds).dump() + " s");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::error::connection_reset || error == asio::error::broken_pipe) {
    throw VmmError("cloud-hypervisor hung up during " + about + "; its log says why");
  }
  throw VmmError("cloud-hypervisor, " + about + ": " + error.message());
}

// Both what it announced, for which room would be made, and what came. Beast 1.74's own limit lets
// longer ones pass.
void check_length(const http::response_parser<http::string_body>& parser, const Request& request) {
  const auto announced = parser.content_length();
  if (announced.value_or(0) <= most_body && parser.get().body().size() <= most_body) return;
  throw VmmError("cloud-hypervisor answered " + request.endpoint + " with more than " +
                 std::to_string(most_body) + " bytes");
}

json body_of(const Request& request, const http::response<http::string_body>& answer) {
  const unsigned status = answer.result_int();
  if (status < 200 || status > 299) {
    throw VmmError("cloud-hypervisor refused " + request.endpoint + " (" + std::to_string(status) +
                   "): " + reason_of(answer.body()));
  }
  if (answer.body().empty()) return {};
  json body = json::parse(answer.body(), nullptr, false);
  if (body.is_discarded()) {
    throw VmmError("cloud-hypervisor answered " + request.endpoint + " with what is no JSON");
  }
  return body;
}

std::string cleaned(std::string words) {
  for (char& c : words) {
    if (std::iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  if (words.size() > most_words) words = words.substr(0, most_words) + "...";
  return words;
}

}  // namespace

std::string reason_of(const std::string& body) {
  const json reasons = json::parse(body, nullptr, false);
  std::string words;
  if (reasons.is_array()) {
    for (const json& reason : reasons) {
      if (!reason.is_string()) continue;
      words += (words.empty() ? "" : ": ") + reason.get<std::string>();
    }
  }
  if (words.empty()) words = body.empty() ? "it gave no reason" : body;
  return cleaned(std::move(words));
}

asio::awaitable<json> ApiClient::call(Request request, Milliseconds limit) {
  const auto executor = co_await asio::this_coro::executor;
  const UnixEndpoint endpoint = endpoint_of(socket_);
  Stream stream(executor);
  boost::system::error_code error;
  auto failing = asio::redirect_error(asio::use_awaitable, error);
  stream.expires_after(limit);
  co_await stream.async_connect(endpoint, failing);
  check(error, request, limit);
  const HttpRequest message = http_request(request);
  co_await http::async_write(stream, message, failing);
  check(error, request, limit);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  co_await http::async_read_header(stream, buffer, parser, failing);
  check(error, request, limit);
  check_length(parser, request);
  while (!parser.is_done()) {
    co_await http::async_read_some(stream, buffer, parser, failing);
    check(error, request, limit);
    check_length(parser, request);
  }
  co_return body_of(request, parser.get());
}

}  // namespace launcher::cloud_hypervisor
