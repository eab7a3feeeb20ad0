// One port as the operator sees it: its settings, its endpoint, its state and why.
//
// State: listening (or connecting, where the VMM listens) -> connected (a VMM is served) ->
// attached (its driver runs) and back. A VMM that broke a rule leaves the port faulted, with the
// reason, until the next one connects; a ring or memory found unusable faults it until the driver
// sets it up anew.
//
// Threads: main.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "bridge/mac_address.h"
#include "datapath/switch_api.h"
#include "vhost/endpoint.h"

namespace datapath {

class Port {
 public:
  using Report = std::function<void(Event::Kind, const std::string& detail)>;
  // The VMM says where this address lives: here.
  using Announce = std::function<void(bridge::MacAddress)>;

  // Throws what vhost::Endpoint throws.
  Port(boost::asio::io_context& loop, vhost::Poller& poller, uint16_t index,
       const PortSettings& settings, const std::filesystem::path& private_socket, Report report,
       Announce announce);

  uint16_t index() const { return index_; }
  const PortSettings& settings() const { return settings_; }
  vhost::Endpoint& endpoint() { return *endpoint_; }
  const vhost::Endpoint& endpoint() const { return *endpoint_; }
  bool attached() const { return features_ != 0; }

  // Without the counts and the CPU, which others know.
  PortInfo info() const;

  // Looks for what workers cannot tell: a ring given up, memory torn.
  void check();
  // The VMM is sent away for what it did.
  void expel(const std::string& reason);

 private:
  vhost::EndpointObserver observer();
  PortState vacant() const;
  void fault(const std::string& reason);
  template <typename Ring>
  void check(const char* kind, std::span<const Ring> rings);
  unsigned running_queues() const;

  const uint16_t index_;
  const PortSettings settings_;
  Report report_;
  Announce announce_;
  PortState state_ = vacant();
  std::string reason_;
  std::optional<vhost::door::PeerCredentials> vmm_;
  uint64_t features_ = 0;
  std::unique_ptr<vhost::Endpoint> endpoint_;  // last: its observer uses the rest
};

}  // namespace datapath
