// The door goes to a VMM that listens: when it comes, when it goes, when it is none.
#include <sys/stat.h>

#include <thread>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConnectorTest : public DoorTest {
 protected:
  ConnectorTest() {
    settings_.access.connection = ConnectionMode::client;
    limits_.connect_first = milliseconds(1);
    limits_.connect_most = milliseconds(4);
  }

  void listen() { listener_ = listen_at(settings_.public_socket); }
  void vanish() {
    listener_.reset();
    fs::remove(settings_.public_socket);
  }

  // The VMM's end once the door has come.
  std::unique_ptr<Vmm> accepted() {
    UniqueFd fd;
    wait_for([&] {
      fd.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return static_cast<bool>(fd);
    });
    return std::make_unique<Vmm>(std::move(fd));
  }

  bool answers(Vmm& vmm) {
    return ask(vmm, message(Request::get_queue_num)).payload_as<uint64_t>() == 2;
  }

  std::string await_unreachable(const std::string& why) {
    wait_for([&] {
      return !unreachable_.empty() && unreachable_.back().find(why) != std::string::npos;
    });
    return unreachable_.empty() ? "" : unreachable_.back();
  }

  // A time in which many attempts are made.
  void let_it_try() {
    const auto until = std::chrono::steady_clock::now() + 10 * limits_.connect_most;
    wait_for([&] { return std::chrono::steady_clock::now() >= until; });
  }

  UniqueFd listener_;
};

TEST_F(ConnectorTest, ServesTheVmmThatListens) {
  listen();
  open();
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
  ASSERT_EQ(1u, connected_.size());
  EXPECT_EQ(::getpid(), connected_[0].pid);
  EXPECT_EQ(::getuid(), connected_[0].uid);
  EXPECT_THAT(unreachable_, IsEmpty());
}

TEST_F(ConnectorTest, NothingIsCalledBackBeforeTheLoopTurns) {
  listen();
  open();
  EXPECT_THAT(connected_, IsEmpty());
}

// No socket, then one nobody listens on, then a VMM: each reason is told once.
TEST_F(ConnectorTest, WaitsForAVmmWithoutEnd) {
  open();
  EXPECT_THAT(await_unreachable("none yet"), HasSubstr(settings_.public_socket.string()));
  let_it_try();
  listen();
  listener_.reset();
  await_unreachable("nobody listens");
  let_it_try();
  EXPECT_EQ(2u, unreachable_.size());
  EXPECT_THAT(refusals_, IsEmpty());
  fs::remove(settings_.public_socket);
  listen();
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
}

TEST_F(ConnectorTest, ComesBackAfterAnyNumberOfDrops) {
  limits_.admissions_per_second = 1000;
  listen();
  open();
  for (std::size_t i = 1; i <= 50; ++i) {
    auto vmm = accepted();
    EXPECT_TRUE(answers(*vmm));
    vmm->hang_up();
    await_disconnection(i);
  }
}

TEST_F(ConnectorTest, OneVmmAtATime) {
  listen();
  open();
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
  let_it_try();
  const UniqueFd second(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK));
  EXPECT_FALSE(second) << "nobody else comes while one is served";
}

TEST_F(ConnectorTest, TheNextAttemptAwaitsTheLibrarysRelease) {
  listen();
  open();
  library_->releases = false;
  auto first = accepted();
  EXPECT_TRUE(answers(*first));
  first->hang_up();
  ASSERT_TRUE(wait_for([&] { return library_->ended == 1; }));
  let_it_try();
  EXPECT_EQ(1u, connected_.size());
  door_->backend_released();
  auto second = accepted();
  EXPECT_TRUE(answers(*second));
}

// One that accepts and goes at once is not visited more often than others may come.
TEST_F(ConnectorTest, NoMoreThanTheRateIsAdmittedInASecond) {
  limits_.admissions_per_second = 4;
  listen();
  open();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 1; i <= 6; ++i) {
    accepted()->hang_up();
    await_disconnection(i);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, seconds(1));
}

TEST_F(ConnectorTest, WhoMayNotBeTrustedIsRefusedOnceAndAgainWhenItChanges) {
  settings_.access.allow_uid = {::getuid() + 1};
  listen();
  open();
  EXPECT_THAT(await_unreachable("allow_uid"), HasSubstr("pid " + std::to_string(::getpid())));
  auto stranger = accepted();
  EXPECT_TRUE(wait_for([&] { return stranger->sent_away(); }));
  let_it_try();
  EXPECT_EQ(1u, refusals_.size());
  EXPECT_EQ(0, library_->connections);
  vanish();
  await_unreachable("none yet");
  listen();
  await_unreachable("allow_uid");
  EXPECT_EQ(2u, refusals_.size());
}

// A VMM that does not accept has a full queue: others are served meanwhile.
TEST_F(ConnectorTest, AFullQueueBlocksNobody) {
  listen();
  std::vector<UniqueFd> queue;
  for (;;) {
    try {
      queue.push_back(connect_unix(settings_.public_socket));
    } catch (const std::system_error&) {
      break;
    }
  }
  open();
  await_unreachable("does not accept");
  while (UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK))) {
  }
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
}

TEST_F(ConnectorTest, WithoutTheLibraryItTriesAgain) {
  listen();
  open();
  const fs::path aside = directory_ / "aside";
  fs::rename(settings_.private_socket, aside);
  auto vmm = accepted();
  ASSERT_TRUE(wait_for([&] { return !refusals_.empty(); }));
  EXPECT_THAT(refusals_[0], HasSubstr("cannot be reached"));
  fs::rename(aside, settings_.private_socket);
  auto next = accepted();
  while (next->sent_away()) next = accepted();
  EXPECT_TRUE(answers(*next));
}

TEST_F(ConnectorTest, TheVmmsSocketStaysWhenTheDoorGoes) {
  listen();
  open();
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
  library_->releases = false;
  door_.reset();
  EXPECT_TRUE(fs::exists(settings_.public_socket));
  EXPECT_TRUE(vmm->sent_away());
  let_it_try();
  EXPECT_FALSE(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK)));
}

TEST_F(ConnectorTest, NoDescriptorIsLeakedByAttempts) {
  limits_.admissions_per_second = 1000;
  open();
  await_unreachable("none yet");
  const std::size_t before = open_descriptors();
  for (std::size_t i = 1; i <= 20; ++i) {
    listen();
    accepted()->hang_up();
    await_disconnection(i);
    vanish();
    let_it_try();
  }
  EXPECT_TRUE(wait_for([&] { return !library_->connected(); }));
  EXPECT_TRUE(wait_for([&] { return open_descriptors() == before; }));
}

TEST_F(ConnectorTest, TheHistoryTellsWhatHappened) {
  open();
  await_unreachable("none yet");
  listen();
  auto vmm = accepted();
  EXPECT_TRUE(answers(*vmm));
  std::vector<std::string> names;
  for (const MessageRecord& record : door_->history()) names.push_back(record.name);
  EXPECT_EQ("unreachable", names.front());
  EXPECT_EQ(1, std::count(names.begin(), names.end(), "connected"));
}

}  // namespace
}  // namespace vhost::door::test
