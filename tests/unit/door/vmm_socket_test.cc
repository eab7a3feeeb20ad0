// What the switch connects to where the VMM listens, and what it refuses.
#include "vhost/door/vmm_socket.h"

#include <sys/stat.h>

#include <fstream>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class VmmSocketTest : public ::testing::Test {
 protected:
  UniqueFd listen() const { return listen_at(path_); }
  Visitor visit() { return connect_to_vmm(path_, access_, disposer_); }

  // Why it is not connected to; `refused` as the error says.
  std::string failure(bool refused) {
    try {
      visit();
    } catch (const Unreachable& error) {
      EXPECT_EQ(refused, error.refused()) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "it was connected to";
    return {};
  }

  bool root() const { return ::geteuid() == 0; }
  void give_to(const fs::path& path, uid_t user) const {
    ASSERT_EQ(0, ::lchown(path.c_str(), user, user));
  }

  static constexpr uid_t kStranger = 4321;

  TemporaryDirectory directory_;
  fs::path path_ = directory_ / "vm.sock";
  SocketAccess access_;
  Disposer disposer_;
};

TEST_F(VmmSocketTest, TellsWhoListens) {
  const UniqueFd listener = listen();
  const Visitor visitor = visit();
  EXPECT_EQ(::getpid(), visitor.peer.pid);
  EXPECT_EQ(::getuid(), visitor.peer.uid);
  EXPECT_NE(0, ::fcntl(visitor.fd.get(), F_GETFL) & O_NONBLOCK);
}

TEST_F(VmmSocketTest, SaysWhyThereIsNobody) {
  EXPECT_THAT(failure(false), AllOf(HasSubstr(path_.string()), HasSubstr("none yet")));
  listen();
  EXPECT_THAT(failure(false), HasSubstr("nobody listens"));
  path_ = directory_ / "no/vm.sock";
  EXPECT_THAT(failure(false), HasSubstr("none yet"));
}

TEST_F(VmmSocketTest, OnlySocketsAreConnectedTo) {
  std::ofstream(path_) << "not a socket";
  EXPECT_THAT(failure(true), HasSubstr("not a socket"));
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_THAT(failure(true), HasSubstr("not a socket"));
  fs::remove(path_);
  ASSERT_EQ(0, ::mkfifo(path_.c_str(), 0600));
  EXPECT_THAT(failure(true), HasSubstr("not a socket"));
}

// It could lead to the socket of another VM.
TEST_F(VmmSocketTest, SymbolicLinksAreNotFollowed) {
  const fs::path other = directory_ / "other.sock";
  const UniqueFd listener = listen_at(other);
  fs::create_symlink(other, path_);
  EXPECT_THAT(failure(true), HasSubstr("symbolic link"));
}

TEST_F(VmmSocketTest, AStreamSocketItMustBe) {
  const UniqueFd datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(0, ::bind(datagrams.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  EXPECT_THAT(failure(false), HasSubstr("type"));
}

TEST_F(VmmSocketTest, WhoListensMustBeAllowed) {
  const UniqueFd listener = listen();
  access_.allow_uid = {::getuid() + 1};
  EXPECT_THAT(failure(true),
              AllOf(HasSubstr("uid " + std::to_string(::getuid())), HasSubstr("allow_uid")));
  access_.allow_gid = {::getgid()};
  EXPECT_EQ(::getgid(), visit().peer.gid);
}

TEST_F(VmmSocketTest, TheFileMustBelongToWhomItShould) {
  const UniqueFd listener = listen();
  access_.owner = ::getuid();
  access_.group = ::getgid();
  visit();
  access_.owner = ::getuid() + 1;
  EXPECT_THAT(failure(true), HasSubstr("not to socket_owner"));
  access_.owner.reset();
  access_.group = ::getgid() + 1;
  EXPECT_THAT(failure(true), HasSubstr("not to socket_group"));
}

// Anybody can put a socket into a shared directory, and wait for a switch to come.
TEST_F(VmmSocketTest, AStrangersSocketInASharedDirectoryIsRefused) {
  if (!root()) GTEST_SKIP() << "only root can give a socket to a stranger";
  const UniqueFd listener = listen();
  give_to(path_, kStranger);
  EXPECT_THAT(failure(true), AllOf(HasSubstr("user 4321"), HasSubstr("owner of its directory"),
                                   HasSubstr("socket_owner")));
  access_.owner = kStranger;
  visit();
  access_.owner.reset();
  access_.allow_uid = {::getuid()};
  visit();
}

TEST_F(VmmSocketTest, TheOwnerOfTheDirectoryMayHaveItsSocketThere) {
  if (!root()) GTEST_SKIP() << "only root can give a socket to a stranger";
  const UniqueFd listener = listen();
  give_to(path_, kStranger);
  give_to(directory_.path(), kStranger);
  visit();
}

// The file that was looked at is the one connected to, however long its path is.
TEST_F(VmmSocketTest, LongPathsCanBeConnectedTo) {
  const fs::path deep = directory_ / std::string(100, 'd');
  fs::create_directory(deep);
  const UniqueFd listener = listen();
  fs::rename(path_, deep / "vm.sock");
  path_ = deep / "vm.sock";
  visit();
}

}  // namespace
}  // namespace vhost::door::test
