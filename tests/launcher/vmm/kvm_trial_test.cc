// The try-out of KVM, with scripts in the place of QEMU.
#include "vmm/qemu/kvm_trial.h"

#include <gtest/gtest.h>
#include <unistd.h>

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

  TemporaryDirectory directory_;
};

TEST_F(KvmTrial, SaysWhatTheProgramSays) {
  EXPECT_TRUE(kvm_machine_stands(script("exit 0"), {}));
  EXPECT_FALSE(kvm_machine_stands(script("exit 1"), {}));
  EXPECT_FALSE(kvm_machine_stands(script("kill -ABRT $$"), {}));
  EXPECT_FALSE(kvm_machine_stands("/nonexistent", {}));
}

TEST_F(KvmTrial, TellsTheProgramToQuit) {
  EXPECT_TRUE(kvm_machine_stands(script("read word && [ $word = quit ] && ! read word"), {}));
}

TEST_F(KvmTrial, RunsAsTheUserOfTheVm) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(kvm_machine_stands(script(kIsUser), kUser));
  EXPECT_FALSE(kvm_machine_stands(script(kIsUser), kOther));
}

TEST_F(KvmTrial, AProgramThatHangsIsKilled) {
  EXPECT_FALSE(kvm_machine_stands(script("exec sleep 1000"), {}, std::chrono::milliseconds(200)));
}

TEST_F(KvmTrial, IsMadeForEachUserOnce) {
  if (geteuid() != 0 || access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and KVM";
  ::unsetenv("LAUNCHER_QEMU_ACCELERATOR");
  const fs::path program = script(kIsUser);
  EXPECT_EQ(choose_accelerator(program, kOther), Accelerator::tcg);
  EXPECT_EQ(choose_accelerator(program, kUser), Accelerator::kvm);
  script("exit 1");
  EXPECT_EQ(choose_accelerator(program, kUser), Accelerator::kvm);
}

}  // namespace
}  // namespace launcher::qemu
