// A connection to QEMU's monitor, by QMP (docs/interop/qmp-spec.txt of its source): commands with
// answers, and events as they come.
//
// Threads: one, the event loop's. Errors: VmmError in QEMU's words, or telling that it hung up or
// gave no answer in time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "vmm/control_socket.h"
#include "vmm/expectations.h"
#include "vmm/qemu/devices.h"

namespace launcher::qemu {

class QmpSession : public std::enable_shared_from_this<QmpSession> {
 public:
  using Handler = std::function<void(const nlohmann::json& event)>;

  QmpSession(boost::asio::io_context& loop, Handler handler)
      : socket_(loop), expected_(loop), handler_(std::move(handler)) {}

  // Connects, `start` at the most for the socket to listen and `limit` for QEMU to greet: it sets
  // its devices up before it does.
  boost::asio::awaitable<void> open(std::filesystem::path path, std::chrono::milliseconds start,
                                    std::chrono::milliseconds limit,
                                    std::shared_ptr<const ProcessLife> life);

  // The answer's "return".
  boost::asio::awaitable<nlohmann::json> execute(Command command, std::chrono::milliseconds limit);

  bool ended() const { return expected_.ended(); }

  // Ends everything that waits; the handler is called no more.
  void close();

 private:
  static boost::asio::awaitable<void> read(std::shared_ptr<QmpSession> self);
  static boost::asio::awaitable<void> write(std::shared_ptr<QmpSession> self);
  void take(const nlohmann::json& message);
  void send(const nlohmann::json& message);
  void end();

  UnixSocket socket_;
  Expectations expected_;
  Handler handler_;
  std::string outbox_;
  bool writing_ = false;
  uint64_t commands_ = 0;
};

}  // namespace launcher::qemu
