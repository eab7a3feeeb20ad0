#include "control/params.h"

#include "control/json_rpc.h"

namespace control {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& key, const std::string& problem) {
  throw RpcFailure(kInvalidParams, "member '" + key + "' " + problem);
}

}  // namespace

const json* Params::find(const std::string& key) {
  used_.insert(key);
  const auto found = params_.find(key);
  return found != params_.end() && !found->is_null() ? &*found : nullptr;
}

std::optional<std::string> Params::optional_text(const std::string& key) {
  const json* member = find(key);
  if (member == nullptr) return std::nullopt;
  if (!member->is_string()) fail(key, "must be text");
  return member->get<std::string>();
}

std::string Params::text(const std::string& key) {
  const auto text = optional_text(key);
  if (!text) fail(key, "is missing");
  return *text;
}

bool Params::flag(const std::string& key) {
  const json* member = find(key);
  if (member == nullptr) return false;
  if (!member->is_boolean()) fail(key, "must be true or false");
  return member->get<bool>();
}

bridge::MacAddress Params::mac(const std::string& key) {
  const std::string given = text(key);
  const auto address = bridge::MacAddress::parse(given);
  if (!address) fail(key, "must be a MAC address, as 52:54:00:12:34:56");
  return *address;
}

json Params::rest() const {
  json rest = json::object();
  for (const auto& [key, member] : params_.items()) {
    if (used_.count(key) == 0) rest[key] = member;
  }
  return rest;
}

void Params::done() const {
  const json unknown = rest();
  if (!unknown.empty()) fail(unknown.begin().key(), "is unknown to this method");
}

}  // namespace control
