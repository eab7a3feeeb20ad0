// A door over real sockets: VMMs on one side, a stand-in for rte_vhost on the other, all on one
// io_context that the test turns itself until what it waits for has come.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "messages.h"
#include "vhost/door/door.h"
#include "vhost/door/message.h"
#include "vhost/door/message_rules.h"

namespace vhost::door::test {

using std::chrono::milliseconds;
using std::chrono::seconds;
namespace fs = std::filesystem;

// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "door-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = name;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline UniqueFd make_eventfd() {
  return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

inline UniqueFd make_memfd(uint64_t size) {
  UniqueFd fd(::memfd_create("guest", MFD_CLOEXEC));
  EXPECT_EQ(0, ::ftruncate(fd.get(), static_cast<off_t>(size)));
  return fd;
}

inline std::size_t open_descriptors() {
  const fs::directory_iterator open("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

inline UniqueFd listen_at(const fs::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(0, ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  EXPECT_EQ(0, ::listen(fd.get(), 4));
  return fd;
}

inline void any_answer(const Header&) {}

// A VMM: sends what the test says, as one or as pieces.
class Vmm {
 public:
  explicit Vmm(const fs::path& socket) : Vmm(connect_unix(socket)) {}
  explicit Vmm(UniqueFd connection) : fd_(std::move(connection)), reader_(any_answer) {}

  int fd() const { return fd_.get(); }
  void hang_up() { fd_.reset(); }

  void send(Message message) {
    MessageWriter writer;
    writer.start(std::move(message));
    writer.write(fd_.get());
  }
  void send(Message message, int fd, int copies = 1) {
    for (int i = 0; i < copies; ++i) message.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    send(std::move(message));
  }
  void send_bytes(const void* bytes, std::size_t size) {
    EXPECT_EQ(static_cast<ssize_t>(size), ::send(fd_.get(), bytes, size, MSG_NOSIGNAL));
  }

  // The next answer if it is there.
  std::optional<Message> answer() {
    if (reader_.read(fd_.get()) != MessageReader::Status::whole) return {};
    return reader_.take();
  }
  bool sent_away() const {
    pollfd wanted{fd_.get(), POLLRDHUP, 0};
    return ::poll(&wanted, 1, 0) == 1;
  }

 private:
  UniqueFd fd_;
  MessageReader reader_;
};

// What rte_vhost does as the door sees it: one whole message in, one answer out.
class FakeLibrary {
 public:
  FakeLibrary(boost::asio::io_context& loop, const fs::path& path)
      : loop_(loop), listener_(loop, listen_at(path).release()) {
    await_connection();
  }

  // What it does with the next messages.
  bool fails = false;       // acks report failure
  bool hangs_up = false;    // closes instead of answering
  bool silent = false;      // answers nothing
  bool releases = true;     // tells the door when a connection is over
  bool asks_door = true;    // expects_connection(), as new_connection does
  uint32_t ring_base = 42;  // for GET_VRING_BASE
  std::optional<Message> odd_answer;
  Door* door = nullptr;

  std::deque<Message> received;
  int connections = 0;
  int refused_connections = 0;
  int ended = 0;

  void close() { connection_.reset(); }
  bool connected() const { return connection_ != nullptr; }
  void send(Message message) {
    MessageWriter writer;
    writer.start(std::move(message));
    EXPECT_EQ(MessageWriter::Status::whole, writer.write(connection_->native_handle()));
  }

 private:
  using Stream = boost::asio::posix::stream_descriptor;

  void await_connection() {
    listener_.async_wait(Stream::wait_read, [this](const boost::system::error_code& error) {
      if (error) return;
      accept_one();
      await_connection();
    });
  }

  void accept_one() {
    UniqueFd fd(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    if (asks_door && !door->expects_connection()) {
      ++refused_connections;
      return;
    }
    ++connections;
    connection_ = std::make_unique<Stream>(loop_, fd.release());
    await_message();
  }

  void await_message() {
    connection_->async_wait(Stream::wait_read, [this](const boost::system::error_code& error) {
      if (!error) read_one();
    });
  }

  void read_one() {
    const auto status = reader_.read(connection_->native_handle());
    EXPECT_NE(MessageReader::Status::partial, status) << "rte_vhost would block on this";
    if (status == MessageReader::Status::closed ||
        (status == MessageReader::Status::whole && !take(reader_.take()))) {
      reader_ = MessageReader(any_answer);
      connection_.reset();
      ++ended;
      if (releases) door->backend_released();
      return;
    }
    if (connection_) await_message();
  }

  bool take(Message message) {
    Message reply = odd_answer ? std::move(*std::exchange(odd_answer, {})) : answer_to(message);
    const bool answers = (reply.header.flags & kReply) != 0 && !silent;
    received.push_back(std::move(message));
    if (hangs_up) return false;
    if (answers) send(std::move(reply));
    return true;
  }

  Message answer_to(const Message& message) const {
    Message reply;
    reply.header = {message.header.request, kVersion | kReply, 0};
    if (message.request() == Request::get_vring_base) {
      reply.set_payload(VringState{message.payload_as<VringState>().index, ring_base});
    } else if (message.request() != Request::set_log_base) {
      reply.set_payload(uint64_t{fails});
      if (!message.needs_reply()) reply.header.flags = 0;
    }
    return reply;
  }

  boost::asio::io_context& loop_;
  Stream listener_;
  std::unique_ptr<Stream> connection_;
  MessageReader reader_{any_answer};
};

class DoorTest : public ::testing::Test {
 protected:
  static constexpr seconds kDeadline{20};

  DoorTest() {
    settings_.public_socket = directory_ / "p0.sock";
    settings_.private_socket = directory_ / "private";
    settings_.features = (uint64_t{1} << 32) | kFeatureProtocolFeatures | kFeatureLogAll;
    settings_.protocol_features = kProtocolMultiqueue | kProtocolReplyAck | kProtocolLogShmfd;
    limits_.message_timeout = milliseconds(150);
  }

  void open() {
    if (!library_) library_ = std::make_unique<FakeLibrary>(loop_, settings_.private_socket);
    DoorObserver observer;
    observer.connected = [this](const PeerCredentials& peer) { connected_.push_back(peer); };
    observer.disconnected = [this](const std::string& reason, bool fault) {
      reasons_.push_back(reason);
      faults_.push_back(fault);
    };
    observer.refused = [this](const std::string& reason) { refusals_.push_back(reason); };
    observer.unreachable = [this](const std::string& reason) { unreachable_.push_back(reason); };
    door_ = std::make_unique<Door>(loop_, settings_, observer, limits_);
    library_->door = door_.get();
  }

  // Turns the loop until `done`; fails the test when that does not come.
  template <typename Done>
  bool wait_for(Done done) {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) {
        ADD_FAILURE() << "waited in vain";
        return false;
      }
      loop_.restart();
      loop_.run_one_for(milliseconds(10));
    }
    return true;
  }

  // Handles all that is due now.
  void settle() {
    loop_.restart();
    loop_.poll();
  }

  std::unique_ptr<Vmm> new_vmm() { return std::make_unique<Vmm>(settings_.public_socket); }

  // A VMM that is being served.
  std::unique_ptr<Vmm> served_vmm() {
    const std::size_t before = connected_.size();
    auto vmm = new_vmm();
    wait_for([&] { return connected_.size() > before && library_->connected(); });
    return vmm;
  }

  Message ask(Vmm& vmm, Message question) {
    vmm.send(std::move(question));
    return await_answer(vmm);
  }

  Message await_answer(Vmm& vmm) {
    std::optional<Message> answer;
    wait_for([&] { return (answer = vmm.answer()).has_value() || vmm.sent_away(); });
    EXPECT_TRUE(answer.has_value()) << "sent away: " << (reasons_.empty() ? "" : reasons_.back());
    return answer ? std::move(*answer) : Message{};
  }

  // The reason of the next disconnection.
  std::string await_disconnection(std::size_t number = 1) {
    wait_for([&] { return reasons_.size() >= number; });
    return reasons_.size() >= number ? reasons_[number - 1] : "";
  }

  TemporaryDirectory directory_;
  boost::asio::io_context loop_;
  DoorSettings settings_;
  DoorLimits limits_;
  std::vector<PeerCredentials> connected_;
  std::vector<std::string> reasons_;
  std::vector<bool> faults_;
  std::vector<std::string> refusals_;
  std::vector<std::string> unreachable_;
  std::unique_ptr<FakeLibrary> library_;
  std::unique_ptr<Door> door_;
};

}  // namespace vhost::door::test
