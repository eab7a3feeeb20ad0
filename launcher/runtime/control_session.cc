#include "runtime/control_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace launcher {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using nlohmann::json;

// JSON-RPC 2.0, section 5.1; kRefused is ours.
constexpr int kParseError = -32700, kInvalidRequest = -32600, kRefused = -32000;

std::string to_line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string error_line(const json& id, int code, const std::string& message) {
  return to_line(
      {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

}  // namespace

ControlSession::ControlSession(asio::local::stream_protocol::socket socket, Handler handler)
    : socket_(std::move(socket)), handler_(std::move(handler)) {}

Task<> ControlSession::serve() {
  const auto self = shared_from_this();
  std::string input;
  while (socket_.is_open()) {
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    auto buffer = asio::dynamic_buffer(input, kMaxLine);
    const size_t length = co_await asio::async_read_until(socket_, buffer, '\n', token);
    if (error) break;
    std::string line = input.substr(0, length - 1);
    input.erase(0, length);
    busy_ = true;
    std::string text = co_await answer(std::move(line));
    busy_ = false;
    send(std::move(text));
  }
  close();
}

Task<std::string> ControlSession::answer(std::string line) {
  const json request = json::parse(line, nullptr, false);
  if (request.is_discarded()) co_return error_line(nullptr, kParseError, "that is not JSON");
  if (!request.is_object() || !request.contains("id") || !request.contains("method") ||
      !request["method"].is_string()) {
    co_return error_line(nullptr, kInvalidRequest, "a request has 'id' and 'method'");
  }
  const json id = request["id"];
  json params = request.value("params", json::object());
  if (!params.is_object()) co_return error_line(id, kInvalidRequest, "'params' is an object");
  std::string method = request["method"];
  // Its end is that of the launcher: the client sees it come.
  follows_ = method == "down";
  std::string problem;
  json result;
  try {
    result = co_await handler_(std::move(method), std::move(params));
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!problem.empty()) co_return error_line(id, kRefused, problem);
  co_return to_line({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
}

void ControlSession::notify(const std::string& text) {
  if (!busy_ && !follows_) return;
  send(to_line({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", {{"line", text}}}}));
}

void ControlSession::send(std::string text) {
  if (pending_.size() + text.size() > kMostPending) return close();
  pending_ += text;
  if (writing_.empty()) write();
}

void ControlSession::write() {
  if (pending_.empty() || !socket_.is_open()) return;
  writing_ = std::exchange(pending_, "");
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      self->writing_.clear();
                      if (error) return self->close();
                      self->write();
                    });
}

void ControlSession::close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace launcher
