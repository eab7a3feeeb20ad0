// Who is let in, who waits, who is turned away, and when the next one is served.
#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdmissionTest : public DoorTest {
 protected:
  bool answers(Vmm& vmm) {
    return ask(vmm, message(Request::get_queue_num)).payload_as<uint64_t>() == 2;
  }
};

TEST_F(AdmissionTest, TellsWhoCame) {
  open();
  const auto vmm = served_vmm();
  ASSERT_EQ(1u, connected_.size());
  EXPECT_EQ(::getpid(), connected_[0].pid);
  EXPECT_EQ(::getuid(), connected_[0].uid);
  EXPECT_EQ(::getgid(), connected_[0].gid);
  EXPECT_TRUE(door_->vmm_connected());
}

TEST_F(AdmissionTest, ASecondVmmWaitsAndGetsItsTurn) {
  open();
  auto first = served_vmm();
  auto second = new_vmm();
  second->send(message(Request::get_queue_num));
  for (int i = 0; i < 20; ++i) settle();
  EXPECT_EQ(1u, connected_.size());
  EXPECT_FALSE(second->sent_away());
  EXPECT_FALSE(second->answer().has_value());
  first->hang_up();
  EXPECT_EQ(2u, await_answer(*second).payload_as<uint64_t>());
  EXPECT_EQ(2u, connected_.size());
  EXPECT_EQ(2, library_->connections);
}

TEST_F(AdmissionTest, AThirdVmmIsTurnedAway) {
  open();
  auto first = served_vmm();
  auto second = new_vmm();
  auto third = new_vmm();
  ASSERT_TRUE(wait_for([&] { return third->sent_away(); }));
  EXPECT_FALSE(second->sent_away());
  ASSERT_EQ(1u, refusals_.size());
  EXPECT_THAT(refusals_[0], HasSubstr("another one waits already"));
  EXPECT_TRUE(answers(*first));
}

TEST_F(AdmissionTest, AVisitorThatGaveUpFreesItsPlace) {
  open();
  auto first = served_vmm();
  auto second = new_vmm();
  for (int i = 0; i < 20; ++i) settle();
  second->hang_up();
  auto third = new_vmm();
  for (int i = 0; i < 20; ++i) settle();
  EXPECT_FALSE(third->sent_away());
  first->hang_up();
  EXPECT_TRUE(answers(*third));
}

TEST_F(AdmissionTest, AVisitorThatGaveUpIsNotServed) {
  open();
  auto first = served_vmm();
  auto second = new_vmm();
  for (int i = 0; i < 20; ++i) settle();
  second->hang_up();
  first->hang_up();
  ASSERT_TRUE(wait_for([&] { return library_->ended == 1; }));
  for (int i = 0; i < 20; ++i) settle();
  EXPECT_EQ(1u, connected_.size());
}

TEST_F(AdmissionTest, WaitingHasALimit) {
  limits_.turn_timeout = milliseconds(100);
  open();
  auto first = served_vmm();
  auto second = new_vmm();
  ASSERT_TRUE(wait_for([&] { return second->sent_away(); }));
  ASSERT_EQ(1u, refusals_.size());
  EXPECT_THAT(refusals_[0], HasSubstr("waited too long"));
  EXPECT_TRUE(answers(*first));
}

TEST_F(AdmissionTest, TheNextIsServedOnlyWhenTheLibraryHasReleasedTheLast) {
  open();
  library_->releases = false;
  auto first = served_vmm();
  first->hang_up();
  ASSERT_TRUE(wait_for([&] { return library_->ended == 1; }));
  auto second = new_vmm();
  for (int i = 0; i < 50; ++i) settle();
  EXPECT_EQ(1u, connected_.size());
  EXPECT_FALSE(door_->vmm_connected());
  door_->backend_released();
  EXPECT_EQ(2u, connected_.size());
  EXPECT_TRUE(answers(*second));
}

// The library found no room for another device: it closes without a word.
TEST_F(AdmissionTest, AConnectionTheLibraryNeverToldOfIsOver) {
  open();
  library_->releases = false;
  library_->asks_door = false;
  library_->hangs_up = true;
  auto first = new_vmm();
  first->send(message(Request::set_owner));
  EXPECT_THAT(await_disconnection(), HasSubstr("closed the connection"));
  library_->asks_door = true;
  library_->hangs_up = false;
  auto second = new_vmm();
  EXPECT_TRUE(answers(*second));
}

TEST_F(AdmissionTest, ConnectionsAreExpectedOncePerConnect) {
  open();
  EXPECT_FALSE(door_->expects_connection());
  const UniqueFd stranger = connect_unix(settings_.private_socket);
  ASSERT_TRUE(wait_for([&] { return library_->refused_connections == 1; }));
  library_->asks_door = false;
  const auto vmm = served_vmm();
  EXPECT_TRUE(door_->expects_connection());
  EXPECT_FALSE(door_->expects_connection());
}

TEST_F(AdmissionTest, TheLibrarysReleaseEndsTheSession) {
  open();
  auto vmm = served_vmm();
  door_->backend_released();
  EXPECT_TRUE(wait_for([&] { return vmm->sent_away(); }));
  EXPECT_THAT(reasons_, ElementsAre("the vhost library closed the connection"));
}

TEST_F(AdmissionTest, TheOwnerSendsAVmmAway) {
  open();
  door_->disconnect("nobody is there");
  EXPECT_TRUE(reasons_.empty());
  auto vmm = served_vmm();
  door_->disconnect("its ring 0 points outside its memory");
  EXPECT_THAT(reasons_, ElementsAre("its ring 0 points outside its memory"));
  EXPECT_THAT(faults_, ElementsAre(true));
  EXPECT_TRUE(wait_for([&] { return vmm->sent_away(); }));
  EXPECT_TRUE(wait_for([&] { return library_->ended == 1; }));
}

TEST_F(AdmissionTest, WithoutTheLibraryAVmmIsTurnedAwayWithAReason) {
  open();
  fs::remove(settings_.private_socket);
  auto vmm = new_vmm();
  ASSERT_TRUE(wait_for([&] { return vmm->sent_away(); }));
  ASSERT_EQ(1u, refusals_.size());
  EXPECT_THAT(refusals_[0], HasSubstr("cannot be reached"));
  EXPECT_FALSE(door_->expects_connection());
}

// --- Credentials.

TEST_F(AdmissionTest, PeersThatAreNotAllowedAreTurnedAway) {
  settings_.access.allow_uid = {::getuid() + 1};
  settings_.access.allow_gid = {::getgid() + 1};
  open();
  auto vmm = new_vmm();
  ASSERT_TRUE(wait_for([&] { return vmm->sent_away(); }));
  ASSERT_EQ(1u, refusals_.size());
  EXPECT_THAT(refusals_[0], HasSubstr("uid " + std::to_string(::getuid())));
  EXPECT_THAT(refusals_[0], HasSubstr("allow_uid"));
  EXPECT_EQ(0, library_->connections);
}

TEST_F(AdmissionTest, EitherListLetsAPeerIn) {
  settings_.access.allow_uid = {::getuid() + 1};
  settings_.access.allow_gid = {::getgid()};
  open();
  const auto vmm = served_vmm();
  EXPECT_TRUE(answers(*vmm));
}

// --- The rate.

TEST_F(AdmissionTest, NoMoreThanTheRateIsAdmittedInASecond) {
  limits_.admissions_per_second = 4;
  open();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) {
    const auto vmm = served_vmm();
    vmm->hang_up();
    await_disconnection(static_cast<std::size_t>(i) + 1);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, seconds(1));
  EXPECT_EQ(6u, connected_.size()) << "all of them were served in the end";
}

// Connections beyond the rate wait in the kernel: they cost the door no descriptor.
TEST_F(AdmissionTest, ACrowdIsHeldInTheBacklog) {
  limits_.admissions_per_second = 2;
  open();
  auto first = served_vmm();
  const std::size_t before = open_descriptors();
  std::vector<std::unique_ptr<Vmm>> crowd;
  for (int i = 0; i < limits_.backlog; ++i) crowd.push_back(new_vmm());
  for (int i = 0; i < 50; ++i) settle();
  EXPECT_LE(open_descriptors(), before + crowd.size() + 1) << "one visitor at the most";
  EXPECT_TRUE(answers(*first)) << "the one being served notices nothing";
}

// A crowd of peers that are not allowed delays one that is by no more than the backlog.
TEST_F(AdmissionTest, StrangersHaveABudgetOfTheirOwn) {
  limits_.admissions_per_second = 1;
  limits_.refusals_per_second = 1000;
  settings_.access.allow_uid = {::getuid() + 1};
  open();
  for (std::size_t i = 1; i <= 5; ++i) {
    auto stranger = new_vmm();
    wait_for([&] { return stranger->sent_away(); });
  }
  EXPECT_EQ(5u, refusals_.size()) << "far more than one a second";
}

// --- The door itself.

TEST_F(AdmissionTest, TheSocketGoesWithTheDoor) {
  open();
  auto vmm = served_vmm();
  auto waiting = new_vmm();
  for (int i = 0; i < 20; ++i) settle();
  library_->releases = false;
  door_.reset();
  EXPECT_FALSE(fs::exists(settings_.public_socket));
  EXPECT_TRUE(vmm->sent_away());
  EXPECT_TRUE(waiting->sent_away());
  EXPECT_TRUE(wait_for([&] { return library_->ended == 1; }));
  EXPECT_TRUE(reasons_.empty()) << "nobody is told by a door that is gone";
}

TEST_F(AdmissionTest, TheDoorOpensAgainAtTheSamePath) {
  open();
  EXPECT_THROW(Door(loop_, settings_, {}), SocketError) << "the path is in use";
  settle();
  door_.reset();
  open();
  const auto vmm = served_vmm();
  EXPECT_TRUE(answers(*vmm));
}

TEST_F(AdmissionTest, NoDescriptorIsLeakedByVisitors) {
  limits_.admissions_per_second = 1000;
  limits_.turn_timeout = milliseconds(10);
  open();
  settle();
  const std::size_t before = open_descriptors();
  for (std::size_t i = 1; i <= 10; ++i) {
    auto first = served_vmm();
    auto second = new_vmm();
    auto third = new_vmm();
    wait_for([&] { return second->sent_away() && third->sent_away(); });
    first.reset();
    await_disconnection(i);
    wait_for([&] { return !library_->connected(); });
  }
  EXPECT_TRUE(wait_for([&] { return open_descriptors() == before; }));
}

}  // namespace
}  // namespace vhost::door::test
