// The relay with VMMs that are slow, silent or lying, and descriptors that will not close.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "relay_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- The VMM is slow, silent or lying.

TEST_F(RelayTest, HalfAMessageCostsTheConnection) {
  const Message sent = number(Request::set_features, 0);
  vmm_->send_bytes(&sent.header, sizeof(Header));
  EXPECT_THAT(await_disconnection(), HasSubstr("half a message"));
  EXPECT_THAT(faults_, ElementsAre(true));
  EXPECT_TRUE(library_->received.empty()) << "the library saw none of it";
}

TEST_F(RelayTest, OneByteOfAHeaderCostsTheConnection) {
  vmm_->send_bytes("\2", 1);
  EXPECT_THAT(await_disconnection(), HasSubstr("half a message"));
}

// The clock runs from the first byte, however many follow.
TEST_F(RelayTest, ATrickledMessageCostsTheConnection) {
  const Message sent = one_region();
  std::size_t trickled = 0;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(wait_for([&] {
    const auto due = (std::chrono::steady_clock::now() - start) / milliseconds(20);
    if (reasons_.empty() && static_cast<std::ptrdiff_t>(trickled) < due && trickled < 12) {
      vmm_->send_bytes(reinterpret_cast<const char*>(&sent.header) + trickled++, 1);
    }
    return !reasons_.empty();
  }));
  EXPECT_THAT(reasons_[0], HasSubstr("half a message"));
  EXPECT_GT(trickled, 1u);
}

TEST_F(RelayTest, AMessageInPiecesThatComesInTimeIsServed) {
  const Message sent = message(Request::set_features, uint64_t{0}, kVersion | kNeedReply);
  for (std::size_t i = 0; i < 12; ++i) {
    vmm_->send_bytes(reinterpret_cast<const char*>(&sent.header) + i, 1);
    settle();
  }
  vmm_->send_bytes(sent.payload.data(), 8);
  EXPECT_EQ(0u, await_answer(*vmm_).payload_as<uint64_t>());
}

TEST_F(RelayTest, ASilentVmmMayBeSilentForEver) {
  const auto until = std::chrono::steady_clock::now() + 3 * limits_.message_timeout;
  wait_for([&] { return std::chrono::steady_clock::now() > until; });
  EXPECT_TRUE(reasons_.empty());
  EXPECT_EQ(2u, ask(*vmm_, message(Request::get_queue_num)).payload_as<uint64_t>());
}

// Asks on and on and never reads: its answers fill the socket, then its time is up.
TEST_F(RelayTest, AnswersNotTakenCostTheConnection) {
  limits_.message_burst = 100000;
  door_.reset();
  open();
  vmm_ = served_vmm();
  ASSERT_TRUE(wait_for([&] {
    const Header question{static_cast<uint32_t>(Request::get_features), kVersion, 0};
    for (int i = 0; i < 32; ++i) {
      if (::send(vmm_->fd(), &question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) break;
    }
    return !reasons_.empty();
  }));
  EXPECT_EQ("does not take its answers", reasons_[0]);
  EXPECT_THAT(faults_, ElementsAre(true));
}

TEST_F(RelayTest, AVmmThatSendsWithoutEndIsSlowedDown) {
  limits_.message_burst = 10;
  limits_.message_burst_per_ring = 0;
  limits_.messages_per_second = 100;
  door_.reset();
  open();
  vmm_ = served_vmm();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 30; ++i) ask(*vmm_, message(Request::get_features));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(190));
  EXPECT_TRUE(reasons_.empty());
}

TEST_F(RelayTest, HangingUpIsNoFaultHangingUpInsideAMessageIs) {
  vmm_->hang_up();
  EXPECT_EQ("the VMM closed its socket", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(false));
  EXPECT_TRUE(wait_for([&] { return library_->ended == 1; })) << "the private side closes too";
  vmm_ = served_vmm();
  vmm_->send_bytes("\2\0\0", 3);
  vmm_->hang_up();
  EXPECT_EQ("closed its socket in the middle of a message", await_disconnection(2));
}

TEST_F(RelayTest, HangingUpBeforeTheAnswerIsNoFault) {
  library_->silent = true;
  vmm_->send(state(Request::get_vring_base, 0, 0));
  ASSERT_TRUE(wait_for([&] { return library_->received.size() == 1; }));
  vmm_->hang_up();
  library_->send(message(Request::get_vring_base, VringState{0, 1}, kVersion | kReply));
  EXPECT_EQ("the VMM closed its socket", await_disconnection());
}

// --- Descriptors that are not what they should be.

TEST_F(RelayTest, APipeIsNoCallDescriptor) {
  int pair[2];
  ASSERT_EQ(0, ::pipe2(pair, O_NONBLOCK | O_CLOEXEC));
  const UniqueFd read_end(pair[0]), write_end(pair[1]);
  vmm_->send(number(Request::set_vring_call, 0), write_end.get());
  EXPECT_EQ("SET_VRING_CALL for ring 0: its file descriptor is not an eventfd",
            await_disconnection());
  EXPECT_TRUE(library_->received.empty());
}

TEST_F(RelayTest, AFileOnADiskIsNoGuestMemory) {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  vmm_->send(one_region(), file.get());
  EXPECT_THAT(await_disconnection(), HasSubstr("region 0: its file is neither on tmpfs"));
}

TEST_F(RelayTest, AShortFileIsNoGuestMemory) {
  vmm_->send(one_region(), make_memfd(16 * kMiB - 1).get());
  EXPECT_THAT(await_disconnection(), HasSubstr("is shorter than 16777216"));
}

TEST_F(RelayTest, NoDescriptorIsLeaked) {
  vmm_->hang_up();
  await_disconnection();
  ASSERT_TRUE(wait_for([&] { return library_->ended == 1; }));
  limits_.admissions_per_second = 1000;
  library_->received.clear();
  door_.reset();
  open();
  reasons_.clear();
  settle();
  const UniqueFd eventfd = make_eventfd();
  const std::size_t before = open_descriptors();
  for (std::size_t round = 1; round <= 10; ++round) {
    vmm_ = served_vmm();
    vmm_->send(number(Request::set_vring_call, 0), eventfd.get());
    vmm_->send(number(Request::set_vring_err, 1), eventfd.get());
    // Eight where one belongs; the message behind it is never read.
    vmm_->send(number(Request::set_vring_call, 0), eventfd.get(), 8);
    vmm_->send(number(Request::set_vring_call, 0), eventfd.get(), 8);
    await_disconnection(round);
    ASSERT_TRUE(wait_for([&] { return !library_->connected() && library_->received.size() == 2; }));
    library_->received.clear();
    vmm_.reset();
  }
  EXPECT_TRUE(wait_for([&] { return open_descriptors() == before; }));
}

// A TCP socket that lingers: closing the last reference sleeps until its peer has read all.
class LingeringSocket {
 public:
  LingeringSocket() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(0, ::bind(listener.get(), generic, size));
    EXPECT_EQ(0, ::listen(listener.get(), 1));
    EXPECT_EQ(0, ::getsockname(listener.get(), generic, &size));
    near_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(0, ::connect(near_.get(), generic, size));
    far_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const linger wait{1, 1000};
    EXPECT_EQ(0, ::setsockopt(near_.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)));
    const std::vector<char> bytes(1 << 16);
    while (::send(near_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
  }

  UniqueFd take_near() { return std::move(near_); }

  // True when the other end has been closed at last.
  bool drain() {
    std::vector<char> bytes(1 << 16);
    ssize_t got = 0;
    do {
      got = ::recv(far_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    } while (got > 0);
    return got == 0 || errno != EAGAIN;
  }

 private:
  UniqueFd near_, far_;
};

// Each of these would put the thread to sleep for a thousand seconds that closes it.
TEST_F(RelayTest, DescriptorsThatWillNotCloseHoldUpNobody) {
  const std::size_t before = open_descriptors();
  LingeringSocket read, unread;
  Message sent = number(Request::set_vring_call, 0);
  sent.fds.push_back(read.take_near());
  vmm_->send(std::move(sent));
  sent = number(Request::set_vring_call, 1);
  sent.fds.push_back(unread.take_near());
  vmm_->send(std::move(sent));
  EXPECT_THAT(await_disconnection(), HasSubstr("not an eventfd"));
  vmm_.reset();

  // Two closings are stuck: this port waits, the loop goes on.
  ASSERT_TRUE(wait_for([&] { return library_->ended == 1; }));
  auto next = new_vmm();
  ASSERT_TRUE(wait_for([&] { return door_->history().back().name == "stuck"; }));
  EXPECT_EQ(1u, connected_.size());
  ASSERT_TRUE(wait_for([&] {
    const bool first = read.drain();
    return unread.drain() && first;
  }));
  EXPECT_EQ(2u, ask(*next, message(Request::get_queue_num)).payload_as<uint64_t>());
  next.reset();
  EXPECT_TRUE(wait_for([&] { return open_descriptors() <= before + 1; }));
}

}  // namespace
}  // namespace vhost::door::test
