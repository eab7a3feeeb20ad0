// One run of switchctl: its arguments, where its answers go, and the switch it talks to.
//
// Threads: one. Errors: UsageError for what was typed, client::ConnectError and client::RpcError
// from the switch.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/rpc_client.h"

namespace switchctl {

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Invocation {
 public:
  Invocation(std::filesystem::path socket, bool json, std::vector<std::string> arguments,
             std::ostream& out)
      : socket_(std::move(socket)), json_(json), arguments_(std::move(arguments)), out_(out) {}

  // Reads the arguments of the command: `options` as they are, words by the names in `words`. A
  // name in brackets need not be given.
  boost::program_options::variables_map parse(boost::program_options::options_description options,
                                              const std::vector<std::string>& words) const;

  nlohmann::json call(const std::string& method, nlohmann::json params = nlohmann::json::object());
  client::RpcClient& client();  // connects at first use

  bool json() const { return json_; }
  std::ostream& out() { return out_; }
  // For programs; true when that is what was wanted, and nothing more is to be said.
  bool print_json(const nlohmann::json& result);

 private:
  std::filesystem::path socket_;  // empty: the default
  bool json_;
  std::vector<std::string> arguments_;
  std::ostream& out_;
  std::optional<client::RpcClient> client_;
};

}  // namespace switchctl
