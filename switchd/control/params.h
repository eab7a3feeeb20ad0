// The parameters of one request, read strictly: a wrong type or an unknown member is an error.
//
// Threads: any. Errors: RpcFailure with kInvalidParams.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "bridge/mac_address.h"

namespace control {

class Params {
 public:
  explicit Params(const nlohmann::json& params) : params_(params) {}

  std::string text(const std::string& key);
  std::optional<std::string> optional_text(const std::string& key);
  bool flag(const std::string& key);  // false when absent
  bridge::MacAddress mac(const std::string& key);

  // The members not asked for so far.
  nlohmann::json rest() const;
  // REQUIRES that everything known was asked for: what is left is unknown.
  void done() const;

 private:
  const nlohmann::json* find(const std::string& key);

  const nlohmann::json& params_;
  std::set<std::string> used_;
};

}  // namespace control
