// cloud-hypervisor's REST API: HTTP over a unix socket, one connection a request.
//
// Errors: VmmError with cloud-hypervisor's own words (it answers with a JSON list of reasons, the
// outermost first), or telling that it hung up, gave no answer in time, or is not there. What it
// says is cut and cleaned: it goes to terminals and logs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "vmm/cloud_hypervisor/requests.h"

namespace launcher::cloud_hypervisor {

class ApiClient {
 public:
  explicit ApiClient(std::filesystem::path socket) : socket_(std::move(socket)) {}

  // The answer's body, null when it has none. `limit` is for the whole exchange.
  boost::asio::awaitable<nlohmann::json> call(Request request, std::chrono::milliseconds limit);

 private:
  std::filesystem::path socket_;
};

// "first: second: third" of a body that is a JSON list of reasons, else the body itself.
std::string reason_of(const std::string& body);

}  // namespace launcher::cloud_hypervisor
