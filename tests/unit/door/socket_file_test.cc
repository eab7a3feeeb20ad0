// The public socket as a file: taken over, refused, right from its first moment, removed.
#include "vhost/door/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SocketFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<SocketFile> make(const SocketAccess& access = {}) {
    return std::make_unique<SocketFile>(path_, access, 4);
  }
  std::string refused(const SocketAccess& access = {}) {
    try {
      make(access);
    } catch (const SocketError& error) {
      return error.what();
    }
    return {};
  }
  struct stat status() const {
    struct stat result {};
    EXPECT_EQ(0, ::lstat(path_.c_str(), &result));
    return result;
  }
  std::size_t entries() const {
    const fs::directory_iterator files(directory_.path());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  TemporaryDirectory directory_;
  fs::path path_ = directory_ / "p0.sock";
};

TEST_F(SocketFileTest, ListensAndGoesAgain) {
  {
    const auto file = make();
    EXPECT_NO_THROW(connect_unix(path_));
    EXPECT_NE(0, ::fcntl(file->fd(), F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(1u, entries()) << "nothing else is left beside it";
  }
  EXPECT_EQ(0u, entries());
}

TEST_F(SocketFileTest, TakesOverAPathWhoseOwnerIsGone) {
  listen_at(path_).reset();
  ASSERT_TRUE(fs::exists(path_));
  const auto file = make();
  EXPECT_NO_THROW(connect_unix(path_));
}

TEST_F(SocketFileTest, APathInUseIsAClearErrorAndStaysUntouched) {
  const UniqueFd other = listen_at(path_);
  const ino_t before = status().st_ino;
  EXPECT_THAT(refused(), AllOf(HasSubstr("socket " + path_.string()), HasSubstr("in use"),
                               HasSubstr("choose another path")));
  EXPECT_EQ(before, status().st_ino);
  EXPECT_EQ(1u, entries());
}

TEST_F(SocketFileTest, APathInUseWithAFullBacklogIsInUse) {
  const UniqueFd other = listen_at(path_);
  std::vector<UniqueFd> waiting;
  try {
    for (int i = 0; i < 100; ++i) waiting.push_back(connect_unix(path_));
    FAIL() << "the backlog never filled";
  } catch (const std::system_error& error) {
    ASSERT_EQ(EAGAIN, error.code().value());
  }
  EXPECT_THAT(refused(), HasSubstr("in use"));
}

TEST_F(SocketFileTest, WhatIsNoSocketIsNotRemoved) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(refused(), HasSubstr("is not a socket; remove it"));
  EXPECT_TRUE(fs::is_regular_file(path_));
  fs::remove(path_);
  const fs::path target = directory_ / "target";
  listen_at(target).reset();
  fs::create_symlink(target, path_);
  EXPECT_THAT(refused(), HasSubstr("is not a socket"));
  EXPECT_TRUE(fs::exists(target));
}

TEST_F(SocketFileTest, LeavesASocketThatIsNoLongerItsOwn) {
  auto file = make();
  ASSERT_TRUE(fs::remove(path_));
  const UniqueFd other = listen_at(path_);
  file.reset();
  EXPECT_TRUE(fs::exists(path_));
}

// Looks at the path all the while: whenever it is there, its mode is right and it is listened to.
TEST_F(SocketFileTest, IsRightFromItsFirstMoment) {
  std::atomic<bool> stop{false};
  std::atomic<int> seen{0}, wrong{0};
  std::thread watcher([&] {
    while (!stop) {
      struct stat status {};
      if (::lstat(path_.c_str(), &status) != 0) continue;
      ++seen;
      if ((status.st_mode & 07777) != 0614) ++wrong;
    }
  });
  SocketAccess access;
  access.mode = 0614;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int made = 0; made < 3000 || seen < 200; ++made) {
    make(access);
    if (std::chrono::steady_clock::now() > until) break;
  }
  stop = true;
  watcher.join();
  EXPECT_GE(seen, 200);
  EXPECT_EQ(0, wrong);
}

TEST_F(SocketFileTest, TheModeIsWhatWasAskedForWhateverTheUmask) {
  SocketAccess access;
  access.mode = 0660;
  for (const mode_t mask : {0u, 0777u}) {
    const mode_t before = ::umask(mask);
    const auto file = make(access);
    EXPECT_EQ(0660u, status().st_mode & 07777);
    ::umask(before);
  }
}

TEST_F(SocketFileTest, OwnerAndGroup) {
  SocketAccess access;
  access.group = ::getgid();
  const auto file = make(access);
  EXPECT_EQ(::getgid(), status().st_gid);
}

TEST_F(SocketFileTest, AnOwnerThatRootAloneMaySet) {
  SocketAccess access;
  access.owner = 1;
  access.group = 2;
  if (::geteuid() == 0) {
    const auto file = make(access);
    EXPECT_EQ(1u, status().st_uid);
    EXPECT_EQ(2u, status().st_gid);
    return;
  }
  EXPECT_THAT(refused(access), AllOf(HasSubstr("cannot be given to user 1 group 2"),
                                     HasSubstr("run the switch as root")));
  EXPECT_EQ(0u, entries()) << "nothing half made is left";
}

TEST_F(SocketFileTest, AnOwnerThatMayNotBeSetIsAnError) {
  if (::geteuid() != 0) return;  // AnOwnerThatRootAloneMaySet has seen it
  fs::permissions(directory_.path(), fs::perms::all);
  ASSERT_EXIT(
      {
        if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) {
          ::_exit(2);
        }
        SocketAccess access;
        access.owner = 1;
        const std::string reason = refused(access);
        const bool clear = reason.find("cannot be given to user 1") != std::string::npos &&
                           reason.find("run the switch as root") != std::string::npos;
        ::_exit(clear && entries() == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(SocketFileTest, OfTwoThatStartAtOnceOneIsRefused) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> ready{0};
    std::unique_ptr<SocketFile> made[2];
    const auto start = [&](int which) {
      ++ready;
      while (ready < 2) {
      }
      try {
        made[which] = make();
      } catch (const SocketError& error) {
        EXPECT_THAT(error.what(), HasSubstr("in use"));
      }
    };
    std::thread other(start, 1);
    start(0);
    other.join();
    ASSERT_FALSE(made[0] && made[1]) << "round " << round;
    ASSERT_TRUE(made[0] || made[1]) << "round " << round;
    EXPECT_NO_THROW(connect_unix(path_));
  }
}

TEST_F(SocketFileTest, PathsHaveALimit) {
  const std::string directory = directory_.path().string();
  path_ = directory + "/" + std::string(kMaxSocketPath - directory.size() - 1, 'x');
  {
    const auto file = make();
    EXPECT_NO_THROW(connect_unix(path_));
  }
  path_ = path_.string() + "x";
  EXPECT_THAT(refused(), AllOf(HasSubstr("a path of 108 bytes"), HasSubstr("room for 107")));
}

TEST_F(SocketFileTest, TheHiddenNameNeedsNoRoomInThePath) {
  const std::string parent = directory_.path().string();
  const fs::path deep = parent + "/" + std::string(kMaxSocketPath - parent.size() - 3, 'd');
  fs::create_directory(deep);
  path_ = deep / "s";
  ASSERT_EQ(kMaxSocketPath, path_.native().size());
  const auto file = make();
  EXPECT_NO_THROW(connect_unix(path_));
}

TEST_F(SocketFileTest, AMissingDirectoryIsNamed) {
  path_ = directory_ / "nowhere" / "p0.sock";
  EXPECT_THAT(refused(), AllOf(HasSubstr("No such file"), HasSubstr("create ")));
}

}  // namespace
}  // namespace vhost::door::test
