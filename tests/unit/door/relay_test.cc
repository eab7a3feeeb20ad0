// The relay: what reaches the back-end, what comes back, and what ends a connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RelayTest : public DoorTest {
 protected:
  void SetUp() override {
    open();
    vmm_ = served_vmm();
  }

  // A message that must be acknowledged with success.
  void must(Message message, int fd = -1) {
    message.header.flags |= kNeedReply;
    if (fd >= 0) message.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    const std::string name = message_name(message.header.request);
    EXPECT_EQ(0u, ask(*vmm_, std::move(message)).payload_as<uint64_t>()) << name;
  }

  void set_memory() { must(one_region(), make_memfd(16 * kMiB).get()); }

  std::unique_ptr<Vmm> vmm_;
};

TEST_F(RelayTest, AnswersTheOfferItselfAndTheLibraryIsNotAsked) {
  const Message answer = ask(*vmm_, message(Request::get_features));
  EXPECT_EQ(uint32_t{kVersion | kReply}, answer.header.flags);
  EXPECT_EQ(8u, answer.header.size);
  EXPECT_EQ(settings_.features, answer.payload_as<uint64_t>());
  EXPECT_EQ(settings_.protocol_features,
            ask(*vmm_, message(Request::get_protocol_features)).payload_as<uint64_t>());
  EXPECT_EQ(2u, ask(*vmm_, message(Request::get_queue_num)).payload_as<uint64_t>());
  EXPECT_TRUE(library_->received.empty());
}

TEST_F(RelayTest, AsksForAnAckAndKeepsItWhenTheVmmDidNot) {
  vmm_->send(number(Request::set_features, 0));
  ASSERT_TRUE(wait_for([&] { return library_->received.size() == 1; }));
  EXPECT_EQ(uint32_t{kVersion | kNeedReply}, library_->received[0].header.flags);
  ask(*vmm_, message(Request::get_features));
  EXPECT_FALSE(vmm_->answer().has_value()) << "the ack stays with the door";
}

TEST_F(RelayTest, PassesTheAckOnToWhoeverAskedForIt) {
  Message sent = number(Request::set_features, 0);
  sent.header.flags |= kNeedReply;
  const Message ack = ask(*vmm_, std::move(sent));
  EXPECT_EQ(Request::set_features, ack.request());
  EXPECT_EQ(0u, ack.payload_as<uint64_t>());
}

TEST_F(RelayTest, AFailureGoesToTheVmmThatAskedAndItMayGoOn) {
  library_->fails = true;
  Message sent = number(Request::set_features, 0);
  sent.header.flags |= kNeedReply;
  EXPECT_EQ(1u, ask(*vmm_, std::move(sent)).payload_as<uint64_t>());
  EXPECT_EQ(settings_.features, ask(*vmm_, message(Request::get_features)).payload_as<uint64_t>());
}

TEST_F(RelayTest, AFailureNobodyAskedForEndsTheConnection) {
  library_->fails = true;
  vmm_->send(number(Request::set_features, 0));
  EXPECT_EQ("the vhost library could not carry out SET_FEATURES", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(true));
  EXPECT_TRUE(wait_for([&] { return vmm_->sent_away(); }));
}

TEST_F(RelayTest, OneMessageIsInFlight) {
  library_->silent = true;
  vmm_->send(number(Request::set_features, 0));
  vmm_->send(number(Request::set_features, uint64_t{1} << 32));
  ASSERT_TRUE(wait_for([&] { return !library_->received.empty(); }));
  for (int i = 0; i < 20; ++i) settle();
  ASSERT_EQ(1u, library_->received.size()) << "the second one waits for the first one's answer";
  library_->silent = false;
  library_->send(number(Request::set_features, 0));  // not a reply by its flags
  EXPECT_THAT(await_disconnection(), HasSubstr("malformed answer"));
}

TEST_F(RelayTest, PipelinedMessagesArriveInTheirOrder) {
  for (uint64_t i = 0; i < 50; ++i) vmm_->send(state(Request::set_vring_enable, i % 2, 1));
  vmm_->send(message(Request::get_queue_num));
  EXPECT_EQ(2u, await_answer(*vmm_).payload_as<uint64_t>());
  ASSERT_EQ(50u, library_->received.size());
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(i % 2, library_->received[i].payload_as<VringState>().index);
  }
}

TEST_F(RelayTest, DescriptorsTravelWithTheirMessage) {
  set_memory();
  ASSERT_EQ(1u, library_->received.back().fds.size());
  EXPECT_EQ(FdFacts::Kind::memory, inspect_fd(library_->received.back().fds[0].get()).kind);
  must(number(Request::set_vring_call, 1), make_eventfd().get());
  ASSERT_EQ(1u, library_->received.back().fds.size());
  EXPECT_EQ(FdFacts::Kind::eventfd, inspect_fd(library_->received.back().fds[0].get()).kind);
}

TEST_F(RelayTest, GetVringBaseHasAnAnswerOfItsOwn) {
  Message sent = state(Request::get_vring_base, 1, 0);
  sent.header.flags |= kNeedReply;
  const auto answer = ask(*vmm_, std::move(sent)).payload_as<VringState>();
  EXPECT_EQ(1u, answer.index);
  EXPECT_EQ(42u, answer.value);
  EXPECT_EQ(uint32_t{kVersion}, library_->received[0].header.flags) << "no ack is asked for";
}

TEST_F(RelayTest, SetLogBaseIsAnsweredAsTheVmmLikesIt) {
  set_memory();
  const UniqueFd log = make_memfd(512);
  Message sent = message(Request::set_log_base, LogArea{512, 0});
  sent.fds.emplace_back(::dup(log.get()));
  EXPECT_EQ(0u, ask(*vmm_, std::move(sent)).header.size);
  sent = message(Request::set_log_base, LogArea{512, 0}, kVersion | kNeedReply);
  sent.fds.emplace_back(::dup(log.get()));
  EXPECT_EQ(8u, ask(*vmm_, std::move(sent)).header.size);
}

TEST_F(RelayTest, AWholeVirtualMachineSetsItsRingsUp) {
  must(number(Request::set_features, settings_.features & ~kFeatureLogAll));
  set_memory();
  for (const uint32_t ring : {0u, 1u}) {
    must(state(Request::set_vring_num, ring, 256));
    must(state(Request::set_vring_base, ring, 0));
    must(message(Request::set_vring_addr, ring_areas(ring)));
    must(number(Request::set_vring_kick, ring), make_eventfd().get());
    must(number(Request::set_vring_call, ring), make_eventfd().get());
    must(state(Request::set_vring_enable, ring, 1));
  }
  EXPECT_EQ(14u, library_->received.size());
  vmm_->send(state(Request::set_vring_num, 0, 512));
  EXPECT_EQ("SET_VRING_NUM 512 for ring 0, which is running", await_disconnection());
  EXPECT_EQ(14u, library_->received.size());
}

// --- The library's side goes wrong.

TEST_F(RelayTest, TheLibraryHangsUpAtAMessage) {
  library_->hangs_up = true;
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_EQ("the vhost library closed the connection at GET_VRING_BASE", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(true));
}

TEST_F(RelayTest, TheLibraryHangsUpBetweenMessages) {
  library_->close();
  EXPECT_EQ("the vhost library closed the connection", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(false));
}

TEST_F(RelayTest, AnAnswerToAnotherMessageMakesNoSense) {
  library_->odd_answer = message(Request::set_owner, uint64_t{0}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, AnAnswerForAnotherRingMakesNoSense) {
  library_->odd_answer = message(Request::get_vring_base, VringState{1, 7}, kVersion | kReply);
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, ARingIndexBeyondSixteenBitsMakesNoSense) {
  library_->ring_base = 0x10000;
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, WhatTheLibraryCouldNotDoIsNotTakenForDone) {
  set_memory();
  must(state(Request::set_vring_num, 0, 256));
  library_->fails = true;
  Message sent = one_region();
  sent.header.flags |= kNeedReply;
  sent.fds.push_back(make_memfd(16 * kMiB));
  EXPECT_EQ(1u, ask(*vmm_, std::move(sent)).payload_as<uint64_t>());
  vmm_->send(message(Request::set_vring_addr, ring_areas(0)));
  EXPECT_THAT(await_disconnection(), HasSubstr("before a memory table"));
}

TEST_F(RelayTest, AnAnswerOfTheWrongLengthMakesNoSense) {
  library_->odd_answer = message(Request::set_features, uint32_t{0}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, AnOverlongAnswerIsNotRead) {
  library_->odd_answer =
      message(Request::set_features, std::array<uint64_t, 4>{}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("malformed answer"));
}

TEST_F(RelayTest, TheLibrarySpeaksUnasked) {
  library_->send(message(Request::set_features, uint64_t{0}, kVersion | kReply));
  EXPECT_THAT(await_disconnection(), HasSubstr("unasked"));
}

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

// --- The history.

TEST_F(RelayTest, TheHistoryTellsWhatHappened) {
  must(number(Request::set_features, 0));
  set_memory();
  ask(*vmm_, state(Request::get_vring_base, 1, 0));
  ask(*vmm_, message(Request::get_queue_num));
  vmm_->send(state(Request::set_vring_num, 0, 4096));
  await_disconnection();
  std::vector<std::string> lines;
  for (const MessageRecord& line : door_->history())
    lines.push_back(line.name + " " + line.summary);
  ASSERT_EQ(7u, lines.size());
  EXPECT_THAT(lines[0], HasSubstr("connected pid " + std::to_string(::getpid())));
  EXPECT_EQ("VHOST_USER_SET_FEATURES 0x0 ok", lines[1]);
  EXPECT_EQ("VHOST_USER_SET_MEM_TABLE 1 region, 16 MiB ok", lines[2]);
  EXPECT_EQ("VHOST_USER_GET_VRING_BASE ring 1 = 42", lines[3]);
  EXPECT_EQ("VHOST_USER_GET_QUEUE_NUM = 0x2", lines[4]);
  EXPECT_EQ("VHOST_USER_SET_VRING_NUM ring 0: 4096", lines[5]);
  EXPECT_EQ("disconnected SET_VRING_NUM 4096 for ring 0: at most 1024", lines[6]);
}

TEST_F(RelayTest, TheHistoryKeepsTheLast64Lines) {
  for (uint32_t i = 0; i < 100; ++i) {
    must(state(Request::set_vring_base, 0, i));
  }
  const auto lines = door_->history();
  ASSERT_EQ(64u, lines.size());
  EXPECT_EQ("ring 0: 36 ok", lines.front().summary);
  EXPECT_EQ("ring 0: 99 ok", lines.back().summary);
}

}  // namespace
}  // namespace vhost::door::test
