// The try-out of KVM, with scripts in the place of QEMU.
#include "vmm/qemu/kvm_trial.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

#include "fake_vmm.h"
#include "vmm/qemu/accelerator.h"

namespace launcher::qemu {
namespace {

namespace fs = std::filesystem;

const Credentials kUser{64'123, 64'124, {64'125}};
const Credentials kOther{64'126, 64'126, {}};
constexpr const char* kIsUser = R"sh([ "$(id -u) $(id -G)" = "64123 64124 64125" ])sh";

class KvmTrial : public testing::Test {
 protected:
  KvmTrial() { fs::permissions(directory_.path(), fs::perms(0755)); }

  fs::path script(const std::string& text) {
    const fs::path path = directory_.path() / "qemu";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(path, fs::perms(0755));
    return path;
  }

  bool stands(const fs::path& program, std::optional<Credentials> user = {},
              std::chrono::milliseconds limit = kTrialWithin) {
    return finish(loop_, kvm_machine_stands(loop_, program, std::move(user), limit));
  }
  Accelerator choice(const fs::path& program, const Credentials& user) {
    return finish(loop_, choose_accelerator(loop_, program, user));
  }

  TemporaryDirectory directory_;
  boost::asio::io_context loop_;
};

TEST_F(KvmTrial, SaysWhatTheProgramSays) {
  EXPECT_TRUE(stands(script("exit 0")));
  EXPECT_FALSE(stands(script("exit 1")));
  EXPECT_FALSE(stands(script("kill -ABRT $$")));
  EXPECT_FALSE(stands("/nonexistent"));
}

TEST_F(KvmTrial, TellsTheProgramToQuit) {
  EXPECT_TRUE(stands(script("read word && [ $word = quit ] && ! read word")));
}

TEST_F(KvmTrial, RunsAsTheUserOfTheVm) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(stands(script(kIsUser), kUser));
  EXPECT_FALSE(stands(script(kIsUser), kOther));
}

TEST_F(KvmTrial, AProgramThatHangsIsKilled) {
  EXPECT_FALSE(stands(script("exec sleep 1000"), {}, std::chrono::milliseconds(200)));
}

TEST_F(KvmTrial, TheLoopGoesOnMeanwhile) {
  boost::asio::post(loop_, [this] { std::ofstream(directory_.path() / "turn") << "done"; });
  const std::string waits =
      "until [ -s " + (directory_.path() / "turn").string() + " ]; do :; done";
  EXPECT_TRUE(stands(script(waits)));
}

TEST_F(KvmTrial, IsMadeForEachUserOnce) {
  if (geteuid() != 0 || access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and KVM";
  ::unsetenv("LAUNCHER_QEMU_ACCELERATOR");
  const fs::path program = script(kIsUser);
  EXPECT_EQ(choice(program, kOther), Accelerator::tcg);
  EXPECT_EQ(choice(program, kUser), Accelerator::kvm);
  script("exit 1");
  EXPECT_EQ(choice(program, kUser), Accelerator::kvm);
}

}  // namespace
}  // namespace launcher::qemu
