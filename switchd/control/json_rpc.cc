#include "control/json_rpc.h"

#include <spdlog/spdlog.h>

namespace control {
namespace {

using nlohmann::json;

// Text that came from elsewhere (a file name, a VMM) need not be UTF-8, and must not fail us here.
std::string to_line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

bool is_id(const json& id) {
  return id.is_string() || id.is_number() || id.is_null();
}

// Section 4: the members of a request object.
void check_request(const json& request) {
  if (request.is_array()) {
    throw RpcFailure(kInvalidRequest, "batches are not served; send one request a line");
  }
  if (!request.is_object()) throw RpcFailure(kInvalidRequest, "a request is a JSON object");
  if (request.value("jsonrpc", json()) != json("2.0")) {
    throw RpcFailure(kInvalidRequest, "member 'jsonrpc' must be \"2.0\"");
  }
  if (const auto method = request.find("method"); method == request.end() || !method->is_string()) {
    throw RpcFailure(kInvalidRequest, "member 'method' must be text");
  }
  for (const auto& [key, member] : request.items()) {
    if (key != "jsonrpc" && key != "id" && key != "method" && key != "params") {
      throw RpcFailure(kInvalidRequest, "unknown member '" + key + "'");
    }
  }
}

json parameters(const json& request) {
  const auto params = request.find("params");
  if (params == request.end()) return json::object();
  if (!params->is_object()) {
    throw RpcFailure(kInvalidParams, "'params' must be an object of named parameters");
  }
  return *params;
}

std::string run(const json& request, const json& id, const RpcMethod& method) {
  try {
    check_request(request);
    const json result = method(request["method"].get<std::string>(), parameters(request));
    return to_line({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
  } catch (const RpcFailure& failure) {
    return error_line(id, failure.code(), failure.what());
  } catch (const std::exception& error) {
    spdlog::error("control: request failed: {}", error.what());
    return error_line(id, kInternalError, error.what());
  }
}

}  // namespace

std::string answer(std::string_view line, const RpcMethod& method) {
  const json request = json::parse(line, nullptr, false);
  if (request.is_discarded()) return error_line(nullptr, kParseError, "that is not JSON");
  json id;
  bool wants_answer = true;
  if (request.is_object()) {
    const auto found = request.find("id");
    if (found != request.end() && !is_id(*found)) {
      return error_line(nullptr, kInvalidRequest, "member 'id' must be text, a number or null");
    }
    if (found != request.end()) id = *found;
    // Without an id it is a notification (section 4.1), if it is a request at all.
    wants_answer = found != request.end() || !request.contains("method");
  }
  const std::string line_out = run(request, id, method);
  return wants_answer ? line_out : std::string();
}

std::string error_line(const json& id, int code, const std::string& message) {
  return to_line(
      {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

std::string event_line(const json& params) {
  return to_line({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", params}});
}

}  // namespace control
