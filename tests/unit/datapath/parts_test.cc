// The small parts: interrupts that hang, CPU levels, the private directory.
#include <gmock/gmock.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "datapath/cpu_level.h"
#include "datapath/notifier.h"
#include "datapath/runtime_dir.h"
#include "datapath/switch_api.h"

namespace datapath::test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// --- Notifier.

TEST(NotifierTest, AnInterruptIsOneMoreOnTheCounter) {
  const vhost::UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Notifier notifier;
  notifier.notify(3, fd.get());
  notifier.notify(3, fd.get());
  notifier.notify(3, -1);  // a driver that polls
  uint64_t value = 0;
  ASSERT_EQ(8, ::read(fd.get(), &value, sizeof(value)));
  EXPECT_EQ(2u, value);
  EXPECT_EQ(2u, notifier.count());
  EXPECT_EQ(Notifier::kNobody, notifier.notifying());
  EXPECT_EQ(Notifier::kNobody, notifier.take_hung());
}

// A VMM that clears O_NONBLOCK and fills the counter: the write sleeps until it is interrupted.
TEST(NotifierTest, AWriteThatHangsIsInterruptedAndItsPortMarkedOnce) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART, as the worker's
  ASSERT_EQ(0, ::sigaction(SIGUSR2, &action, nullptr));
  const vhost::UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
  const uint64_t most = 0xffff'ffff'ffff'fffe;
  ASSERT_EQ(8, ::write(fd.get(), &most, sizeof(most)));
  Notifier notifier;
  std::atomic<bool> ended{false};
  std::thread worker([&] {
    notifier.notify(7, fd.get());
    ended = true;
  });
  while (!ended) {
    if (notifier.notifying() == 7) ::pthread_kill(worker.native_handle(), SIGUSR2);
    std::this_thread::yield();
  }
  worker.join();
  EXPECT_EQ(7u, notifier.take_hung());
  EXPECT_EQ(Notifier::kNobody, notifier.take_hung());
  EXPECT_EQ(Notifier::kNobody, notifier.notifying());
}

TEST(NotifierTest, AFullCounterThatDoesNotBlockIsNoFault) {
  const vhost::UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const uint64_t most = 0xffff'ffff'ffff'fffe;
  ASSERT_EQ(8, ::write(fd.get(), &most, sizeof(most)));
  Notifier notifier;
  notifier.notify(7, fd.get());
  EXPECT_EQ(Notifier::kNobody, notifier.take_hung());
}

// --- CPU levels.

std::string level_error(const std::string& wanted) {
  try {
    choose_cpu_level(wanted);
  } catch (const SwitchError& error) {
    return error.what();
  }
  return {};
}

TEST(CpuLevelTest, TheBestByDefaultTheLeastWhenAsked) {
  EXPECT_NE(nullptr, choose_cpu_level("").turn);
  EXPECT_EQ("x86-64-v2", choose_cpu_level("x86-64-v2").name);
  EXPECT_NE(nullptr, choose_cpu_level("x86-64-v2").turn);
}

TEST(CpuLevelTest, ALevelThatIsNotBuiltIsRefusedWithThoseThatAre) {
  EXPECT_THAT(level_error("x86-64-v9"), HasSubstr("x86-64-v9 is not built; there are: x86-64-v2"));
}

// --- The private directory.

class RuntimeDirTest : public ::testing::Test {
 protected:
  RuntimeDirTest() {
    std::string name = (fs::temp_directory_path() / "runtime-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    base_ = name;
  }
  ~RuntimeDirTest() override { fs::remove_all(base_); }

  static std::string error_of(const fs::path& path) {
    try {
      const RuntimeDir dir(path);
    } catch (const SwitchError& error) {
      return error.what();
    }
    return {};
  }

  fs::path base_;
};

TEST_F(RuntimeDirTest, IsMadeAndClosedToOthers) {
  const fs::path path = base_ / "deep" / "run";
  const RuntimeDir dir(path);
  EXPECT_EQ(fs::perms::owner_all, fs::status(path).permissions());
  EXPECT_EQ(path / "port-12.sock", dir.socket_for(12));
}

TEST_F(RuntimeDirTest, AnOpenOneIsClosed) {
  fs::create_directory(base_ / "run");
  ASSERT_EQ(0, ::chmod((base_ / "run").c_str(), 0777));
  const RuntimeDir dir(base_ / "run");
  EXPECT_EQ(fs::perms::owner_all, fs::status(base_ / "run").permissions());
}

TEST_F(RuntimeDirTest, BelongsToOneInstance) {
  const RuntimeDir dir(base_ / "run");
  EXPECT_THAT(error_of(base_ / "run"), HasSubstr("in use by a running switchd"));
}

TEST_F(RuntimeDirTest, ALinkOrAFileInItsPlaceIsRefused) {
  fs::create_directory_symlink(base_, base_ / "link");
  EXPECT_THAT(error_of(base_ / "link"), HasSubstr("is not a directory"));
  std::ofstream(base_ / "file") << "x";
  EXPECT_THAT(error_of(base_ / "file"), HasSubstr("is not a directory"));
}

TEST_F(RuntimeDirTest, APathTooLongForItsSocketsIsRefused) {
  EXPECT_THAT(error_of(base_ / std::string(100, 'x')), HasSubstr("choose a shorter one"));
}

}  // namespace
}  // namespace datapath::test
