#include "fake_backend.h"

#include <sys/socket.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace frontend {
namespace {

bool read_all(int fd, void* to, std::size_t size) {
  return size == 0 || recv(fd, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

// A header and the descriptors that came with it, which are closed and counted.
bool read_header(int fd, MessageHeader& header, std::size_t& descriptors) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(32 * sizeof(int))> control{};
  iovec part{&header, sizeof(header)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, MSG_WAITALL) != sizeof(header)) return false;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr) return true;
  descriptors = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < descriptors; ++i) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(rights) + i * sizeof(int), sizeof(int));
    close(passed);
  }
  return true;
}

}  // namespace

FakeBackend::FakeBackend(Answers answers) : answers_(answers) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error("socketpair");
  }
  ours_ = FileDescriptor(ends[0]);
  theirs_ = FileDescriptor(ends[1]);
  thread_ = std::thread([this] { serve(); });
}

FakeBackend::~FakeBackend() {
  theirs_.reset();
  if (thread_.joinable()) thread_.join();
}

Connection FakeBackend::connect(Connection::Duration timeout) {
  return Connection(std::move(theirs_), "fake", timeout);
}

std::vector<Seen> FakeBackend::messages() {
  if (thread_.joinable()) thread_.join();
  return seen_;
}

void FakeBackend::serve() {
  for (;;) {
    MessageHeader header;
    Seen seen;
    if (!read_header(ours_.get(), header, seen.descriptors)) break;
    seen.request = static_cast<Request>(header.request);
    seen.flags = header.flags;
    seen.payload.resize(header.size);
    if (!read_all(ours_.get(), seen.payload.data(), seen.payload.size())) break;
    seen_.push_back(seen);
    if (seen.request == answers_.closes_at) break;
    if (seen.request != answers_.silent) answer(seen);
  }
  ours_.reset();
}

void FakeBackend::answer(const Seen& seen) {
  uint64_t value = 0;
  switch (seen.request) {
    case Request::get_features:
      value = answers_.features;
      break;
    case Request::get_protocol_features:
      value = answers_.protocol_features;
      break;
    case Request::get_queue_num:
      value = answers_.queue_num;
      break;
    case Request::get_vring_base:
      value = static_cast<uint64_t>(answers_.vring_base) << 32 |
              std::to_integer<uint64_t>(seen.payload.at(0));
      break;
    default:
      if ((seen.flags & kNeedReplyFlag) == 0) return;
      value = seen.request == answers_.refused ? 1 : 0;
  }
  std::array<std::byte, sizeof(MessageHeader) + sizeof(value)> bytes;
  const MessageHeader header{static_cast<uint32_t>(seen.request), kVersion | kReplyFlag,
                             sizeof(value)};
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &value, sizeof(value));
  send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

}  // namespace frontend
