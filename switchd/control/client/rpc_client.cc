#include "client/rpc_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

namespace client {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using nlohmann::json;

std::string remedy(const error_code& error, const std::string& peer) {
  switch (error.value()) {
    case ENOENT:
    case ECONNREFUSED:
      return "is " + peer + " running?" +
             (peer == "switchd" ? " name its control socket with --socket PATH" : "");
    case EACCES:
      if (peer != "switchd") return "run as the user of " + peer;
      return "run as the user of switchd, or let your group in with control_socket_group";
    case ENAMETOOLONG:
      return "a socket's path has at most 107 bytes";
    default:
      return "does " + peer + " listen there?";
  }
}

ConnectError connect_error(const std::filesystem::path& path, const error_code& error,
                           const std::string& peer) {
  return ConnectError(path.string() + ": " + error.message() + "; " + remedy(error, peer));
}

}  // namespace

RpcClient::RpcClient(std::filesystem::path socket, std::string peer)
    : path_(std::move(socket)), peer_(std::move(peer)), socket_(loop_) {
  // sockaddr_un, unix(7).
  constexpr size_t kLongestPath = 107;
  if (path_.string().size() > kLongestPath) {
    throw connect_error(path_, error_code(ENAMETOOLONG, boost::system::generic_category()), peer_);
  }
  error_code error;
  socket_.connect(path_.string(), error);
  if (error) throw connect_error(path_, error, peer_);
}

bool RpcClient::run(std::chrono::milliseconds timeout) {
  loop_.restart();
  loop_.run_for(timeout);
  if (loop_.stopped()) return true;
  socket_.cancel();
  loop_.run();
  return false;
}

void RpcClient::write_line(const std::string& line) {
  error_code result;
  asio::async_write(socket_, asio::buffer(line),
                    [&](const error_code& error, size_t) { result = error; });
  if (!run(kTimeout)) throw ConnectError(path_.string() + ": " + peer_ + " takes no request");
  if (result) throw connect_error(path_, result, peer_);
}

std::optional<json> RpcClient::read_object(std::chrono::milliseconds timeout) {
  error_code result;
  size_t length = 0;
  asio::async_read_until(socket_, asio::dynamic_buffer(input_), '\n',
                         [&](const error_code& error, size_t size) {
                           result = error;
                           length = size;
                         });
  const bool finished = run(timeout);
  if (!finished && length == 0) return std::nullopt;
  if (result == asio::error::eof) {
    throw ConnectError(path_.string() + ": " + peer_ + " closed the connection; its log says why");
  }
  if (result) throw connect_error(path_, result, peer_);
  json object = json::parse(input_.substr(0, length), nullptr, false);
  input_.erase(0, length);
  if (!object.is_object()) throw ConnectError(path_.string() + ": that is no answer of " + peer_);
  return object;
}

json RpcClient::call(const std::string& method, json params) {
  const int64_t id = ++last_id_;
  const json request = {
      {"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}};
  write_line(request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  while (true) {
    const auto answer = read_object(timeout_);
    if (!answer) {
      throw ConnectError(path_.string() + ": " + peer_ + " does not answer within " +
                         std::to_string(timeout_.count()) + " s");
    }
    if (answer->contains("method")) {
      if (on_event_) on_event_(answer->value("params", json::object()));
      continue;
    }
    if (const auto error = answer->find("error"); error != answer->end()) {
      throw RpcError(error->value("code", 0), error->value("message", std::string()));
    }
    if (answer->value("id", json()) == json(id)) return answer->value("result", json());
  }
}

std::optional<json> RpcClient::next_event(std::chrono::milliseconds timeout) {
  const auto object = read_object(timeout);
  if (!object) return std::nullopt;
  return object->value("params", json::object());
}

}  // namespace client
