// JSON-RPC 2.0 (jsonrpc.org/specification), one object a line. Batches are not served: a client
// that has much to ask sends many lines.
//
// Threads: main thread. Errors: RpcFailure carries a code to the client.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace control {

// JSON-RPC 2.0, section 5.1; kRefused is ours: the request is fine and cannot be done.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kRefused = -32000;

class RpcFailure : public std::runtime_error {
 public:
  RpcFailure(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

using RpcMethod =
    std::function<nlohmann::json(const std::string& method, const nlohmann::json& params)>;

// The line to answer `line` with, its newline included; empty when the request has no id and thus
// wants no answer. Whatever `method` throws becomes an error of the answer.
std::string answer(std::string_view line, const RpcMethod& method);

std::string error_line(const nlohmann::json& id, int code, const std::string& message);
std::string event_line(const nlohmann::json& params);

}  // namespace control
