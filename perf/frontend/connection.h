// The front-end's end of one vhost-user connection: what a VMM does on that socket.
//
// Every call blocks, but no longer than the connection's timeout, and then throws TimedOut; a
// back-end that hangs up throws Closed. With acknowledged(true) each message that has no answer of
// its own is sent with NEED_REPLY and its acknowledgement is awaited and checked (vhost-user.rst,
// REPLY_ACK). The raw calls send whatever a hostile VMM might. One thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "frontend/file_descriptor.h"
#include "frontend/protocol.h"

namespace frontend {

struct Message {
  MessageHeader header;
  std::vector<std::byte> payload;
};

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = std::chrono::milliseconds;
  static constexpr Duration kDefaultTimeout{10'000};
  static constexpr Duration kDefaultRetry{5};

  // Tries again each `retry` while nobody listens, until the timeout is over.
  static Connection connect(const std::string& path, Duration timeout = kDefaultTimeout,
                            Duration retry = kDefaultRetry);
  explicit Connection(FileDescriptor socket, std::string name, Duration timeout = kDefaultTimeout);

  void acknowledged(bool wanted) { acknowledged_ = wanted; }
  void timeout(Duration timeout) { timeout_ = timeout; }

  uint64_t get_features() { return get_u64(Request::get_features); }
  void set_features(uint64_t features) { set_u64(Request::set_features, features); }
  uint64_t get_protocol_features() { return get_u64(Request::get_protocol_features); }
  void set_protocol_features(uint64_t features) {
    set_u64(Request::set_protocol_features, features);
  }
  uint64_t get_queue_num() { return get_u64(Request::get_queue_num); }
  void set_owner() { send(Request::set_owner, {}); }
  void set_mem_table(std::span<const MemoryRegion> regions, std::span<const int> fds);
  void set_vring_num(uint32_t ring, uint32_t size);
  void set_vring_base(uint32_t ring, uint32_t base);
  void set_vring_enable(uint32_t ring, bool enable);
  void set_vring_address(const VringAddress& address);
  // Waits for its answer, which is an empty one when it is not an acknowledgement.
  void set_log_base(uint64_t size, int fd, uint64_t offset = 0);
  // The first byte of the address lowest (frontend/frame.h).
  void send_rarp(uint64_t address) { set_u64(Request::send_rarp, address); }
  // A negative descriptor means none: "poll me".
  void set_vring_kick(uint32_t ring, int fd) { send_vring_fd(Request::set_vring_kick, ring, fd); }
  void set_vring_call(uint32_t ring, int fd) { send_vring_fd(Request::set_vring_call, ring, fd); }
  void set_vring_err(uint32_t ring, int fd) { send_vring_fd(Request::set_vring_err, ring, fd); }
  // Stops the ring; the answer is where it stands.
  uint32_t get_vring_base(uint32_t ring);

  void send(Request request, std::span<const std::byte> payload, std::span<const int> fds = {});
  Message exchange(Request request, std::span<const std::byte> payload);

  // For tests: bytes as they are, sent whole; and what comes back.
  void send_raw(std::span<const std::byte> bytes, std::span<const int> fds = {});
  Message receive();
  // Waits for the back-end to hang up, discarding what it still says. False: it did not.
  bool wait_closed(Duration timeout);
  int descriptor() const { return socket_.get(); }
  void close() { socket_.reset(); }
  explicit operator bool() const { return static_cast<bool>(socket_); }

 private:
  void write(Request request, uint32_t flags, std::span<const std::byte> payload,
             std::span<const int> fds);
  uint64_t get_u64(Request request);
  void set_u64(Request request, uint64_t value);
  void send_vring_fd(Request request, uint32_t ring, int fd);
  void read_exactly(std::span<std::byte> bytes, Clock::time_point deadline);
  void wait_for(short events, Clock::time_point deadline, const char* what);
  [[noreturn]] void fail(const std::string& what) const;

  FileDescriptor socket_;
  std::string name_;
  Duration timeout_;
  bool acknowledged_ = false;
};

// A VMM's own socket, to which the back-end connects (its client mode).
class Listener {
 public:
  // Whatever is at `path` is replaced. It stays when the listener goes, as a VMM that is killed
  // leaves it.
  explicit Listener(std::string path);

  Connection accept(Connection::Duration timeout = Connection::kDefaultTimeout);

 private:
  std::string path_;
  FileDescriptor socket_;
};

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace frontend
