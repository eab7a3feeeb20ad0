// The unix socket at which a VMM is spoken to, which it makes some time after its start.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <filesystem>
#include <memory>

namespace launcher {

using UnixSocket = boost::asio::local::stream_protocol::socket;
using UnixEndpoint = boost::asio::local::stream_protocol::endpoint;

// Throws VmmError when the path is longer than a socket's may be (107 bytes, unix(7)).
UnixEndpoint endpoint_of(const std::filesystem::path& path);

// Shared between an object and its coroutines: the VMM's process is gone.
struct ProcessLife {
  bool ended = false;
};

// Tries until somebody listens. Throws VmmError after `limit`, or when the process has ended.
boost::asio::awaitable<UnixSocket> connect_when_it_listens(std::filesystem::path path,
                                                           std::chrono::milliseconds limit,
                                                           std::shared_ptr<const ProcessLife> life);

// The same, for who makes a connection of its own for each request.
boost::asio::awaitable<void> wait_until_it_listens(std::filesystem::path path,
                                                   std::chrono::milliseconds limit,
                                                   std::shared_ptr<const ProcessLife> life);

// For a VMM that retries for a minute, deaf meanwhile: throws VmmError when the switch's socket for
// an interface is not there.
void require_port_socket(const std::filesystem::path& socket);

}  // namespace launcher
