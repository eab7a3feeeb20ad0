// What the launcher does with files where a VM's user, or a switch's, may do what it likes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "process/error.h"
#include "runtime/state_directory.h"
#include "runtime/vm_files.h"
#include "topology/topology_file.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uid_t kUser = 64'123;

class Files : public testing::Test {
 protected:
  Files() {
    char name[] = "/tmp/launcher-XXXXXX";
    directory_ = mkdtemp(name);
    fs::permissions(directory_, fs::perms(0711));
    write("kernel", "a kernel");
  }
  ~Files() override { fs::remove_all(directory_); }

  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  static std::string read(const fs::path& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  static mode_t mode(const fs::path& path) {
    struct stat facts {};
    EXPECT_EQ(stat(path.c_str(), &facts), 0);
    return facts.st_mode & 07777;
  }

  fs::path directory_;
  std::optional<Credentials> user_ =
      geteuid() == 0 ? std::optional(Credentials{kUser, kUser, {}}) : std::nullopt;
};

constexpr const char* kRouter = R"([[vm]]
name = "router"
kernel = "kernel"
initramfs = "initramfs"
[vm.router]
)";

TEST_F(Files, InitramfsOfARouterIsACopyWithWhatItIsToldBehindIt) {
  write("initramfs", "12345");
  const Topology topology = read_topology(kRouter, directory_ / "lab.toml");
  fs::create_directory(directory_ / "vm");
  VmFiles files(topology, topology.vms[0], directory_ / "vm", user_);
  VmSpec spec;
  files.prepare(spec);
  EXPECT_EQ(spec.initramfs, directory_ / "vm/initramfs");
  EXPECT_THAT(read(spec.initramfs).substr(0, 14), std::string("12345\0\0\0", 8) + "070701");
  EXPECT_EQ(mode(spec.initramfs), 0400u);
}

// The source is a pipe, so that the copy stands still between its beginning and its end.
TEST_F(Files, ALinkPutInPlaceOfACopyLeavesWhatItPointsToAlone) {
  const fs::path victim = write("victim", "important");
  ASSERT_EQ(chmod(victim.c_str(), 0640), 0);
  ASSERT_EQ(mkfifo((directory_ / "initramfs").c_str(), 0600), 0);
  const Topology topology = read_topology(kRouter, directory_ / "lab.toml");
  const fs::path copy = directory_ / "vm/initramfs";
  fs::create_directory(directory_ / "vm");
  std::thread user([&] {
    std::ofstream pipe(directory_ / "initramfs");
    while (!fs::exists(copy)) std::this_thread::yield();
    fs::remove(copy);
    fs::create_symlink(victim, copy);
    pipe << "archive";
  });
  VmFiles files(topology, topology.vms[0], directory_ / "vm", user_);
  VmSpec spec;
  files.prepare(spec);
  user.join();
  EXPECT_EQ(read(victim), "important");
  EXPECT_EQ(mode(victim), 0640u);
}

// Whatever the umask of who starts the launcher.
TEST_F(Files, VmsUsersPassThroughWhatIsMadeAboveTheStateDirectory) {
  const mode_t before = umask(0077);
  const StateDirectory state(directory_ / "run/launcher/lab", "lab.toml");
  umask(before);
  EXPECT_EQ(mode(directory_ / "run"), 0711u);
  EXPECT_EQ(mode(directory_ / "run/launcher"), 0711u);
  EXPECT_EQ(mode(state.path()), 0711u);
}

}  // namespace
}  // namespace launcher
