// The parts of the runtime that need no running topology.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "process/child_process.h"
#include "process/error.h"
#include "runtime/backoff.h"
#include "runtime/console.h"
#include "runtime/cpio.h"
#include "runtime/listener.h"
#include "runtime/log_tail.h"
#include "runtime/probe.h"
#include "runtime/router_file.h"
#include "runtime/state_directory.h"
#include "runtime/terminal.h"
#include "runtime/users.h"
#include "topology/topology_file.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::chrono::seconds kLongest{20};

class Parts : public testing::Test {
 protected:
  Parts() {
    char name[] = "/tmp/launcher-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Parts() override { fs::remove_all(directory_); }

  template <typename Predicate>
  void run_until(Predicate holds) {
    const auto deadline = Clock::now() + kLongest;
    while (!holds() && Clock::now() < deadline) loop_.run_one_for(milliseconds(50));
    ASSERT_TRUE(holds());
  }

  fs::path directory_;
  boost::asio::io_context loop_{1};
};

ChildOptions shell(const std::string& script) {
  ChildOptions options;
  options.arguments = {"/bin/sh", "-c", script};
  options.environment = {"PATH=/usr/bin:/bin", "ONLY=this"};
  return options;
}

TEST(BackoffTest, DoublesUpToTheMostAndStartsOver) {
  Backoff backoff({RestartPolicy::always, milliseconds(100), milliseconds(350)});
  EXPECT_EQ(backoff.after(milliseconds(0)).count(), 100);
  EXPECT_EQ(backoff.after(milliseconds(5)).count(), 200);
  EXPECT_EQ(backoff.after(milliseconds(5)).count(), 350);
  EXPECT_EQ(backoff.after(milliseconds(349)).count(), 350);
  EXPECT_EQ(backoff.after(milliseconds(350)).count(), 100);
}

TEST(BackoffTest, Policies) {
  EXPECT_FALSE(restarts(RestartPolicy::never, false));
  EXPECT_TRUE(restarts(RestartPolicy::on_failure, false));
  EXPECT_FALSE(restarts(RestartPolicy::on_failure, true));
  EXPECT_TRUE(restarts(RestartPolicy::always, true));
}

TEST_F(Parts, ChildEndsAreTold) {
  ChildProcess good(loop_, shell("exit 0")), bad(loop_, shell("exit 3")),
      killed(loop_, shell("kill -SEGV $$"));
  run_until([&] { return !good.running() && !bad.running() && !killed.running(); });
  EXPECT_TRUE(good.succeeded());
  EXPECT_EQ(bad.end_text(), "exit status 3");
  EXPECT_THAT(killed.end_text(), HasSubstr("signal 11 (Segmentation fault"));
}

TEST_F(Parts, ChildThatCannotBeRunSaysWhy) {
  ChildOptions options;
  options.arguments = {"/does/not/exist"};
  EXPECT_THROW(
      {
        try {
          ChildProcess child(loop_, options);
        } catch (const LaunchError& error) {
          EXPECT_THAT(error.what(), HasSubstr("/does/not/exist: exec: No such file"));
          throw;
        }
      },
      LaunchError);
}

TEST_F(Parts, ChildHasWhatItWasGivenAndNothingElse) {
  const fs::path file = directory_ / "output";
  const FileDescriptor output(open(file.c_str(), O_RDWR | O_CREAT, 0600));
  const int leaked = open("/dev/null", O_RDONLY);  // not close-on-exec
  ChildOptions options = shell(
      "echo $ONLY; ls /proc/self/fd | tr '\\n' ' '; echo hello >&5; "
      "ulimit -c; grep NoNewPrivs /proc/self/status");
  options.output = output.get();
  options.descriptors = {{output.get(), 5}};
  ChildProcess child(loop_, options);
  run_until([&] { return !child.running(); });
  close(leaked);
  const std::string said = last_lines(file, 10);
  EXPECT_THAT(said, HasSubstr("this"));
  // ls has one more for the directory itself.
  EXPECT_THAT(said, HasSubstr("0 1 2 3 5 hello | 0 | NoNewPrivs:\t1"));
}

TEST_F(Parts, ChildDiesWithItsLauncher) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t launcher = fork();
  if (launcher == 0) {
    boost::asio::io_context loop;
    ChildProcess child(loop, shell("exec sleep 1000"));
    const pid_t pid = child.pid();
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    pause();
  }
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  kill(launcher, SIGKILL);
  waitpid(launcher, nullptr, 0);
  // It is nobody's child now, so its end shows by its id alone; a zombie counts.
  const auto is_gone = [child] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string number, name, state;
    return !(stat >> number >> name >> state) || state == "Z";
  };
  run_until(is_gone);
}

TEST_F(Parts, ChildRunsAProgramThatItsUserHasNoWayTo) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  fs::copy("/bin/true", directory_ / "program");  // the directory is root's, of mode 0700
  ChildOptions options = shell("");
  options.arguments = {directory_ / "program"};
  options.user = Credentials{64'000, 64'000, {}};
  options.directory = "/";
  ChildProcess child(loop_, options);
  run_until([&] { return !child.running(); });
  EXPECT_EQ(child.status(), 0);
  chmod((directory_ / "program").c_str(), 0700);
  EXPECT_THROW(ChildProcess(loop_, options), LaunchError);
}

TEST_F(Parts, ChildBecomesItsUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const fs::path file = directory_ / "output";
  const FileDescriptor output(open(file.c_str(), O_RDWR | O_CREAT, 0600));
  ChildOptions options =
      shell("id -u; id -g; id -G; ulimit -l; cat /proc/self/status | grep CapEff");
  options.user = Credentials{64'123, 64'123, {64'555}};
  options.output = output.get();
  options.locked_memory = 300u << 20;
  ChildProcess child(loop_, options);
  run_until([&] { return !child.running(); });
  EXPECT_THAT(last_lines(file, 10), HasSubstr("64123 | 64123 | 64123 64555 | "));
  EXPECT_THAT(last_lines(file, 10), HasSubstr("CapEff:\t0000000000000000"));
}

TEST_F(Parts, ConsoleThroughATerminal) {
  Console console(loop_, directory_ / "console.sock", directory_ / "console.log");
  Terminal terminal = Terminal::make();
  ChildOptions options = shell("echo guest is; echo up; read line; echo got $line");
  options.input = options.output = terminal.slave.get();
  bool seen = false;
  console.connect(std::move(terminal.master), "is\nup", [&] { seen = true; });
  ChildProcess child(loop_, options);
  terminal.slave.reset();
  run_until([&] { return seen; });
  console.type("keys\n");
  run_until([&] { return !child.running(); });
  run_until([&] { return console.tail(9).find("got keys") != std::string::npos; });
  EXPECT_THAT(last_lines(directory_ / "console.log", 3), HasSubstr("up | got keys"));
}

// Without a descriptor left, who calls stays in the queue: it is looked at again, but not all the
// time, and answered once there is one.
TEST_F(Parts, ListenerWithoutDescriptorsWaits) {
  int answered = 0;
  const Listener listener(loop_, directory_ / "sock", [&](Listener::Socket) { ++answered; });
  boost::asio::io_context clients;
  Listener::Socket client(clients);
  client.open();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  client.connect((directory_ / "sock").string());
  const size_t turns = loop_.run_for(5 * Listener::kPause);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(answered, 0);
  EXPECT_LT(turns, 50u);
  run_until([&] { return answered == 1; });
}

TEST_F(Parts, ALogDoesNotGrowWithoutBound) {
  LogFile log(directory_ / "log");
  const std::string part(LogFile::kMostBytes / 4, 'x');
  for (int count = 0; count < 20; ++count) log.write(part);
  uintmax_t size = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) size += entry.file_size();
  EXPECT_LE(size, 2 * LogFile::kMostBytes);
}

TEST_F(Parts, OneLauncherATopology) {
  const fs::path path = directory_ / "lab";
  {
    StateDirectory first(path, "lab.toml");
    try {
      StateDirectory second(path, "lab.toml");
      FAIL();
    } catch (const OwnedError& error) {
      EXPECT_THAT(error.what(), HasSubstr("process id " + std::to_string(getpid())));
      EXPECT_THAT(error.what(), HasSubstr("lab.toml"));
    }
    EXPECT_TRUE(fs::exists(path / "log"));
  }
  EXPECT_FALSE(fs::exists(path));
  StateDirectory again(path, "lab.toml");
}

TEST_F(Parts, StateDirectoryForgetsWhatAKilledLauncherLeft) {
  const fs::path path = directory_ / "lab";
  fs::create_directories(path / "vm/a");
  std::ofstream(path / "devices.json") << "[]";
  std::ofstream(path / "vm/a/old");
  StateDirectory state(path, "lab.toml");
  EXPECT_FALSE(fs::exists(path / "vm/a"));
  EXPECT_TRUE(fs::exists(state.devices()));
}

TEST_F(Parts, DirectoryThatAVmsUserCannotPassIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const Credentials user{64'000, 64'000, {}};
  const fs::path closed = directory_ / "closed";
  StateDirectory state(closed / "lab", "lab.toml");
  fs::permissions(directory_, fs::perms(0711));
  StateDirectory::make_private(state.vm("a"), 0700, user);
  fs::permissions(closed, fs::perms(0700));
  try {
    StateDirectory::make_private(state.vm("a"), 0700, user);
    FAIL();
  } catch (const LaunchError& error) {
    EXPECT_THAT(error.what(), StartsWith(closed.string() + ": user 64000 may not pass"));
    EXPECT_THAT(error.what(), HasSubstr("chmod o+x " + closed.string() + ","));
  }
}

TEST_F(Parts, UsersAreStableAndTheirOwn) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const fs::path record = directory_ / "users.json";
  Users users(record, 64'000, 64'001);
  const uid_t a = users.user_of("lab/a", "")->uid;
  const uid_t b = users.user_of("lab/b", "")->uid;
  EXPECT_NE(a, b);
  EXPECT_EQ(Users(record, 64'000, 64'001).user_of("lab/b", "")->uid, b);
  EXPECT_EQ(Users(record, 64'000, 64'001).user_of("lab/a", "")->uid, a);
  EXPECT_THROW(users.user_of("lab/c", ""), LaunchError);
  EXPECT_THROW(users.user_of("lab/a", "root"), LaunchError);
  EXPECT_THROW(users.user_of("lab/a", "no-such-user"), LaunchError);
  EXPECT_EQ(users.user_of("lab/a", "nobody")->uid, 65'534u);
}

TEST_F(Parts, CpioIsUnpackedByOthers) {
  Cpio archive;
  archive.directory("etc", 0755);
  archive.file("etc/odd", 0600, "12345");
  std::ofstream(directory_ / "a.cpio") << archive.finish();
  ChildOptions options =
      shell("busybox cpio -i <a.cpio && cat etc/odd >said && stat -c %a etc/odd >>said");
  options.directory = directory_;
  ChildProcess child(loop_, options);
  run_until([&] { return !child.running(); });
  EXPECT_EQ(last_lines(directory_ / "said", 2), "12345600");
}

TEST_F(Parts, WhatTheRouterIsTold) {
  const std::string text = R"([[vm]]
name = "router"
kernel = "k"
initramfs = "i"
[vm.router]
forward = ["tcp/8022 -> app:22"]
allow_between = ["app -> db"]
[[vm]]
name = "app"
kernel = "k"
net = [{}, {}]
[[vm]]
name = "db"
kernel = "k"
[[vm]]
name = "elsewhere"
kernel = "k"
net = []
)";
  const Topology topology = read_topology(text, "/lab.toml");
  const VmConfig router = topology.vms[0];  // a copy, as a running VM has one
  const nlohmann::json told = router_json(topology, router);
  EXPECT_EQ(told["segments"][0]["network"], "10.64.0.0/16");
  EXPECT_EQ(told["segments"][0]["mac"], topology.vms[0].nets[0].mac);
  ASSERT_EQ(told["clients"].size(), 3u);
  EXPECT_EQ(told["clients"][0]["name"], "app");
  EXPECT_EQ(told["clients"][0]["mac"], topology.vms[1].nets[0].mac);
  EXPECT_EQ(told["clients"][0]["address"], topology.vms[1].nets[0].address);
  EXPECT_FALSE(told["clients"][1].contains("name"));  // a name has one address
  EXPECT_EQ(told["clients"][1]["mac"], topology.vms[1].nets[1].mac);
  EXPECT_EQ(told["clients"][1]["address"], topology.vms[1].nets[1].address);
  EXPECT_EQ(told["clients"][2]["name"], "db");
  EXPECT_EQ(told["forward"][0], "tcp/8022 -> app:22");
  EXPECT_EQ(told["allow_between"][0], "app -> db");
}

TEST_F(Parts, WirelessNetworksAreASecret) {
  const std::string text =
      "[[vm]]\nname = \"router\"\nkernel = \"k\"\ninitramfs = \"i\"\n"
      "[vm.router]\nwireless_networks = \"wifi\"\n";
  const Topology topology = read_topology(text, directory_ / "lab.toml");
  std::ofstream(directory_ / "wifi") << "network={}";
  chmod((directory_ / "wifi").c_str(), 0644);
  EXPECT_THROW(router_archive(topology, topology.vms[0]), LaunchError);
  chmod((directory_ / "wifi").c_str(), 0600);
  EXPECT_THAT(router_archive(topology, topology.vms[0]), HasSubstr("network={}"));
}

TEST(ProbeTest, FramesAsTheStandardsHaveThem) {
  const Octets mac = {2, 1, 2, 3, 4, 5};
  std::vector<uint8_t> frame = arp_probe(mac, 0x0a400005);
  ASSERT_EQ(frame.size(), 60u);
  EXPECT_FALSE(is_arp_answer(frame, 0x0a400005));
  frame[21] = 2;
  std::copy(frame.begin() + 38, frame.begin() + 42, frame.begin() + 28);
  EXPECT_TRUE(is_arp_answer(frame, 0x0a400005));
  EXPECT_FALSE(is_arp_answer(frame, 0x0a400006));
  EXPECT_FALSE(is_arp_answer(std::span(frame).first(30), 0x0a400005));

  const std::array<uint8_t, 16> address = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3};
  std::vector<uint8_t> ask = neighbour_solicitation(mac, address);
  ASSERT_EQ(ask.size(), 78u);
  EXPECT_EQ(ask[5], 3);
  EXPECT_FALSE(is_neighbour_answer(ask, address));
  ask[54] = 136;
  EXPECT_TRUE(is_neighbour_answer(ask, address));
  EXPECT_FALSE(is_neighbour_answer(std::span(ask).first(70), address));
  // RFC 1071: over everything with its own checksum in place the sum is all ones.
  ask[54] = 135;
  uint32_t sum = 24 + 58;
  for (size_t at = 22; at < ask.size(); at += 2) sum += uint32_t{ask[at]} << 8 | ask[at + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffu);
}

}  // namespace
}  // namespace launcher
