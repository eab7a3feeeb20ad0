// One port's vhost-user side, whole: the door in front, rte_vhost behind it, the guest's rings.
//
// Lifetimes. The endpoint lives as long as the port; VMMs come and go through its door. Its rings
// are always there, and run while a guest is attached.
//
// Threads: everything on the main thread, but the rings (see there). The observer is called on the
// main thread, through the io_context.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vhost/door/door.h"
#include "vhost/poller.h"
#include "vhost/receive.h"
#include "vhost/transmit.h"

namespace vhost {

struct EndpointSettings {
  std::string name;
  std::filesystem::path socket;
  SocketAccess access;
  std::filesystem::path private_socket;  // in a directory of this process alone
  uint16_t port = 0;                     // as the Poller knows it
  bool packed = false;                   // packed rings are offered
  std::optional<uint16_t> mtu;           // offered to the guest and held to; 1280 to 9216
  unsigned queue_pairs = 1;              // that the guest may have; kMaxQueuePairs at the most
};

struct EndpointObserver {
  door::DoorObserver door;
  std::function<void(uint64_t features)> attached;
  std::function<void()> detached;
  std::function<void(const std::string& reason)> faulted;
};

class Endpoint {
 public:
  // Throws door::SocketError or backend::BackendError; nothing is left behind then.
  Endpoint(boost::asio::io_context& loop, Poller& poller, EndpointSettings settings,
           EndpointObserver observer);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // By queue pair, all that the guest may have.
  std::span<const TransmitRing> transmit() const noexcept;
  std::span<const ReceiveRing> receive() const noexcept;

  // Sends the VMM away.
  void disconnect(const std::string& reason);
  bool torn() const noexcept;
  std::vector<door::MessageRecord> history() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vhost
