#include "frontend/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "frontend/error.h"

namespace frontend {
namespace {

constexpr std::size_t kMaxPayload = 64 * 1024;  // of an answer we are willing to read
constexpr std::size_t kMaxDescriptors = 32;     // passed with one message

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw Error(path + ": the path of a unix socket has at most " +
                std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

FileDescriptor unix_socket() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw Error(std::string("socket: ") + std::strerror(errno));
  return socket;
}

bool worth_a_retry(int error) {
  return error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
}

}  // namespace

Connection::Connection(FileDescriptor socket, std::string name, Duration timeout)
    : socket_(std::move(socket)), name_(std::move(name)), timeout_(timeout) {}

Connection Connection::connect(const std::string& path, Duration timeout, Duration retry) {
  const sockaddr_un address = address_of(path);
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    FileDescriptor socket = unix_socket();
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
        0) {
      return Connection(std::move(socket), path, timeout);
    }
    const int error = errno;
    if (!worth_a_retry(error)) throw Error(path + ": connect: " + std::strerror(error));
    if (Clock::now() >= deadline) {
      throw TimedOut(path + ": nobody listens there (" + std::strerror(error) + ")");
    }
    std::this_thread::sleep_for(retry);
  }
}

Listener::Listener(std::string path) : path_(std::move(path)), socket_(unix_socket()) {
  constexpr int kBacklog = 1;  // a VMM serves one back-end
  const sockaddr_un address = address_of(path_);
  unlink(path_.c_str());
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(socket_.get(), kBacklog) != 0) {
    throw Error(path_ + ": cannot listen: " + std::strerror(errno));
  }
}

Connection Listener::accept(Connection::Duration timeout) {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) {
    throw TimedOut(path_ + ": the back-end did not connect");
  }
  FileDescriptor socket(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) throw Error(path_ + ": accept: " + std::strerror(errno));
  return Connection(std::move(socket), path_, timeout);
}

void Connection::fail(const std::string& what) const {
  throw Error(name_ + ": " + what);
}

void Connection::wait_for(short events, Clock::time_point deadline, const char* what) {
  for (;;) {
    const auto left = std::chrono::ceil<Duration>(deadline - Clock::now());
    pollfd ready{socket_.get(), events, 0};
    const int count = poll(&ready, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (count > 0) return;
    if (count == 0) throw TimedOut(name_ + ": " + what + " took too long");
    if (errno != EINTR) fail(std::string("poll: ") + std::strerror(errno));
  }
}

void Connection::send_raw(std::span<const std::byte> bytes, std::span<const int> fds) {
  if (fds.size() > kMaxDescriptors) fail("too many descriptors for one message");
  const auto deadline = Clock::now() + timeout_;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  while (!bytes.empty()) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    wait_for(POLLOUT, deadline, "sending");
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
      throw Closed(name_ + ": the back-end closed the connection");
    }
    if (sent < 0) fail(std::string("sendmsg: ") + std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
    fds = {};
  }
}

void Connection::read_exactly(std::span<std::byte> bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    wait_for(POLLIN, deadline, "waiting for an answer");
    const ssize_t got = recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
      throw Closed(name_ + ": the back-end closed the connection");
    }
    if (got < 0) fail(std::string("recv: ") + std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

Message Connection::receive() {
  const auto deadline = Clock::now() + timeout_;
  Message message;
  read_exactly(std::as_writable_bytes(std::span(&message.header, 1)), deadline);
  if (message.header.size > kMaxPayload) {
    fail("an answer of " + std::to_string(message.header.size) + " bytes");
  }
  message.payload.resize(message.header.size);
  read_exactly(message.payload, deadline);
  return message;
}

bool Connection::wait_closed(Duration timeout) {
  const auto deadline = Clock::now() + timeout;
  std::array<std::byte, 4096> rest;
  try {
    for (;;) {
      wait_for(POLLIN, deadline, "closing");
      const ssize_t got = recv(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return true;
    }
  } catch (const TimedOut&) {
    return false;
  }
}

void Connection::write(Request request, uint32_t flags, std::span<const std::byte> payload,
                       std::span<const int> fds) {
  const MessageHeader header{static_cast<uint32_t>(request), flags,
                             static_cast<uint32_t>(payload.size())};
  std::vector<std::byte> whole(sizeof(header) + payload.size());
  std::memcpy(whole.data(), &header, sizeof(header));
  if (!payload.empty()) {
    std::memcpy(whole.data() + sizeof(header), payload.data(), payload.size());
  }
  send_raw(whole, fds);
}

void Connection::send(Request request, std::span<const std::byte> payload,
                      std::span<const int> fds) {
  write(request, kVersion | (acknowledged_ ? kNeedReplyFlag : 0), payload, fds);
  if (!acknowledged_) return;
  const Message answer = receive();
  uint64_t status = 1;
  if (answer.payload.size() == sizeof(status)) {
    std::memcpy(&status, answer.payload.data(), sizeof(status));
  }
  const std::string number = std::to_string(static_cast<uint32_t>(request));
  if (answer.header.request != static_cast<uint32_t>(request)) {
    fail("request " + number + " was answered by " + std::to_string(answer.header.request));
  }
  if (status != 0) fail("request " + number + " was refused by the back-end");
}

Message Connection::exchange(Request request, std::span<const std::byte> payload) {
  write(request, kVersion, payload, {});
  Message answer = receive();
  if (answer.header.request != static_cast<uint32_t>(request) ||
      (answer.header.flags & kReplyFlag) == 0) {
    fail("request " + std::to_string(static_cast<uint32_t>(request)) + " was answered by " +
         std::to_string(answer.header.request));
  }
  return answer;
}

uint64_t Connection::get_u64(Request request) {
  const Message answer = exchange(request, {});
  uint64_t value = 0;
  if (answer.payload.size() != sizeof(value)) fail("an answer that is not a 64-bit number");
  std::memcpy(&value, answer.payload.data(), sizeof(value));
  return value;
}

void Connection::set_u64(Request request, uint64_t value) {
  send(request, bytes_of(value));
}

void Connection::set_mem_table(std::span<const MemoryRegion> regions, std::span<const int> fds) {
  MemoryTable table;
  if (regions.size() > table.regions.size()) fail("a memory table has at most 8 regions");
  table.count = static_cast<uint32_t>(regions.size());
  std::copy(regions.begin(), regions.end(), table.regions.begin());
  send(Request::set_mem_table, bytes_of(table).first(8 + regions.size_bytes()), fds);
}

void Connection::set_vring_num(uint32_t ring, uint32_t size) {
  send(Request::set_vring_num, bytes_of(VringState{ring, size}));
}

void Connection::set_vring_base(uint32_t ring, uint32_t base) {
  send(Request::set_vring_base, bytes_of(VringState{ring, base}));
}

void Connection::set_vring_enable(uint32_t ring, bool enable) {
  send(Request::set_vring_enable, bytes_of(VringState{ring, enable ? 1u : 0u}));
}

void Connection::set_vring_address(const VringAddress& address) {
  send(Request::set_vring_addr, bytes_of(address));
}

void Connection::set_log_base(uint64_t size, int fd, uint64_t offset) {
  const LogArea area{size, offset};
  if (acknowledged_) return send(Request::set_log_base, bytes_of(area), {&fd, 1});
  write(Request::set_log_base, kVersion, bytes_of(area), {&fd, 1});
  if (receive().header.request != static_cast<uint32_t>(Request::set_log_base)) {
    fail("SET_LOG_BASE was answered by something else");
  }
}

void Connection::send_vring_fd(Request request, uint32_t ring, int fd) {
  const uint64_t payload = ring | (fd < 0 ? kNoDescriptorFlag : 0);
  send(request, bytes_of(payload), fd < 0 ? std::span<const int>() : std::span<const int>(&fd, 1));
}

uint32_t Connection::get_vring_base(uint32_t ring) {
  const Message answer = exchange(Request::get_vring_base, bytes_of(VringState{ring, 0}));
  VringState state;
  if (answer.payload.size() != sizeof(state)) fail("GET_VRING_BASE: an answer of the wrong size");
  std::memcpy(&state, answer.payload.data(), sizeof(state));
  return state.value;
}

}  // namespace frontend
