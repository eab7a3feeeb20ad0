// One whole vhost-user message with its file descriptors, and the two halves that move one over
// a socket without ever blocking.
//
// Threads: one at a time. Errors: MessageReader throws ProtocolError for what the peer did;
// both throw std::system_error for what the socket did.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include "vhost/door/wire.h"
#include "vhost/unique_fd.h"

namespace vhost::door {

struct Message {
  Header header{};
  std::array<std::byte, kMaxPayload> payload{};  // zero beyond header.size
  std::vector<UniqueFd> fds;

  Request request() const { return static_cast<Request>(header.request); }
  bool needs_reply() const { return (header.flags & kNeedReply) != 0; }

  template <typename T>
  T payload_as() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxPayload);
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }

  template <typename T>
  void set_payload(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxPayload);
    std::memcpy(payload.data(), &value, sizeof(T));
    header.size = sizeof(T);
  }
};

// Collects one message, byte by byte if need be. Never reads beyond it: what the peer has sent
// after it stays in the socket.
class MessageReader {
 public:
  using HeaderCheck = void (*)(const Header&);  // throws ProtocolError
  enum class Status { nothing, partial, whole, closed };

  explicit MessageReader(HeaderCheck check) : check_(check) {}

  // Reads what is there. `closed` only between two messages.
  Status read(int fd);

  // The message that read() called whole, or what there is of it; the next read() begins anew.
  Message take();

 private:
  bool receive(int fd, std::byte* into, std::size_t size);
  std::size_t wanted() const;

  HeaderCheck check_;
  Message message_;
  std::size_t got_ = 0;  // bytes of header and payload
  bool closed_ = false;
};

// Sends one message as fast as the peer takes it.
class MessageWriter {
 public:
  enum class Status { partial, whole, closed };

  void start(Message message);
  Status write(int fd);

 private:
  Message message_;
  std::size_t sent_ = 0;
};

}  // namespace vhost::door
