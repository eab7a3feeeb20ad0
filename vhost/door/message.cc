#include "vhost/door/message.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "vhost/door/message_rules.h"

namespace vhost::door {
namespace {

// Room for all that one sendmsg(2) can carry (SCM_MAX_FD in the kernel): what does not fit the
// kernel would close here and now, and it is not for the peer to say how long that takes.
constexpr std::size_t kControlSize = CMSG_SPACE(253 * sizeof(int));

void collect_descriptors(msghdr& from, std::vector<UniqueFd>& into) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&from); c != nullptr; c = CMSG_NXTHDR(&from, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      into.emplace_back(fd);
    }
  }
}

void attach_descriptors(msghdr& to, std::byte* control, const std::vector<UniqueFd>& fds) {
  if (fds.empty()) return;
  to.msg_control = control;
  to.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* c = CMSG_FIRSTHDR(&to);
  if (c == nullptr) return;  // never: there is room for a header
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const int fd = fds[i].get();
    std::memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
  }
}

}  // namespace

std::size_t MessageReader::wanted() const {
  return sizeof(Header) + (got_ < sizeof(Header) ? 0 : message_.header.size);
}

MessageReader::Status MessageReader::read(int fd) {
  if (got_ == 0) message_ = Message{};
  while (got_ < sizeof(Header)) {
    auto* header = reinterpret_cast<std::byte*>(&message_.header);
    if (!receive(fd, header + got_, sizeof(Header) - got_)) break;
    if (got_ == sizeof(Header)) check_(message_.header);
  }
  while (got_ >= sizeof(Header) && got_ < wanted()) {
    if (!receive(fd, message_.payload.data() + (got_ - sizeof(Header)), wanted() - got_)) break;
  }
  if (closed_ && got_ > 0 && got_ < wanted()) {
    throw ProtocolError("closed its socket in the middle of " +
                        (got_ >= sizeof(Header) ? message_name(message_.header.request)
                                                : std::string("a message")));
  }
  if (got_ == 0) return closed_ ? Status::closed : Status::nothing;
  return got_ == wanted() && got_ >= sizeof(Header) ? Status::whole : Status::partial;
}

Message MessageReader::take() {
  got_ = 0;
  return std::exchange(message_, Message{});
}

// One recvmsg(2). False when there is nothing more for now.
bool MessageReader::receive(int fd, std::byte* into, std::size_t size) {
  alignas(cmsghdr) std::byte control[kControlSize];
  iovec part{into, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return false;
    if (errno != ECONNRESET) throw std::system_error(errno, std::generic_category(), "recvmsg");
  }
  if (got <= 0) {
    closed_ = true;
    return false;
  }
  collect_descriptors(message, message_.fds);
  if ((message.msg_flags & MSG_CTRUNC) != 0 || message_.fds.size() > kMaxDescriptors) {
    throw ProtocolError("more than 8 file descriptors with one message");
  }
  got_ += static_cast<std::size_t>(got);
  return true;
}

void MessageWriter::start(Message message) {
  message_ = std::move(message);
  sent_ = 0;
}

MessageWriter::Status MessageWriter::write(int fd) {
  alignas(cmsghdr) std::byte control[kControlSize] = {};
  const std::size_t total = sizeof(Header) + message_.header.size;
  std::array<std::byte, sizeof(Header) + kMaxPayload> bytes;
  std::memcpy(bytes.data(), &message_.header, sizeof(Header));
  std::memcpy(bytes.data() + sizeof(Header), message_.payload.data(), message_.header.size);
  while (sent_ < total) {
    iovec part{bytes.data() + sent_, total - sent_};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent_ == 0) attach_descriptors(message, control, message_.fds);
    const ssize_t sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return Status::partial;
      if (errno == EPIPE || errno == ECONNRESET) return Status::closed;
      throw std::system_error(errno, std::generic_category(), "sendmsg");
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  message_.fds.clear();
  return Status::whole;
}

}  // namespace vhost::door
