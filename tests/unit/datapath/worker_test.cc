// Real workers, real rings and eventfds: a driver that kicks only when it is asked to is always
// served, however often the worker falls asleep in between.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>

#include "datapath/workers.h"
#include "ring/simulated_guest.h"

namespace datapath::test {
namespace {

using vhost::test::Bytes;
using vhost::test::DriverRing;
using vhost::test::SimulatedMemory;
using namespace std::chrono_literals;

constexpr uint64_t kRing = 0x10000;
constexpr uint64_t kBuffer = 0x20000;
constexpr auto kDeadline = 10s;

// One port, whose guest only sends. Frames go nowhere: there is no other port.
class WorkerTest : public ::testing::TestWithParam<bool> {
 protected:
  WorkerTest() {
    memory_.add(kRing, 0x20000);
    settings_.workers = {0};
    settings_.idle = std::chrono::microseconds(0);  // asleep whenever there is nothing to do
    table_.set_port(0, {});
    driver_ = std::make_unique<DriverRing>(memory_, kRing, 256);
    driver_->descriptor(0) = {kBuffer, 72, 0, 0};
    workers_ =
        std::make_unique<Workers>(settings_, choose_cpu_level(""), 1'000'000'000, table_, now_);
    workers_->assign(0);
    workers_->publish(topology());
    start_ring();
  }
  ~WorkerTest() override {
    stop_ring();
    workers_.reset();
  }

  static bridge::Topology topology() {
    return bridge::Topology(std::vector<bridge::TopologyPort>{{0, {}}});
  }

  void start_ring(int call_fd = -1) {
    const uint64_t features = vhost::feature::bit(vhost::feature::kVersion1) |
                              (GetParam() ? vhost::feature::bit(vhost::feature::kRingEventIdx) : 0);
    const uint16_t index = driver_->used_index();
    ASSERT_EQ(
        "", transmit_.attach(driver_->areas(), {index, index}, features, memory_.table(), call_fd));
    transmit_.set_running(true);
    EXPECT_TRUE(workers_->watch_kicks(0, 0, kick_.get()));
    vhost::RunningRings rings;
    rings.transmit[0] = &transmit_;
    workers_->use_rings(0, rings);
  }
  void stop_ring() {
    workers_->use_rings(0, {});
    transmit_.set_running(false);
    workers_->unwatch_kicks(0, 0, kick_.get());
  }

  // As a driver does it (virtio 1.2, 2.7.13): index, barrier, look, kick.
  void send() {
    const uint16_t before = driver_->avail_index();
    driver_->offer(0);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool wanted = GetParam() ? driver_->device_event() == before
                                   : (driver_->device_flags() & vhost::kUsedNoNotify) == 0;
    if (!wanted) return;
    ++kicks_;
    const uint64_t one = 1;
    EXPECT_EQ(8, ::write(kick_.get(), &one, sizeof(one)));
  }
  bool served() const {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (driver_->used_index() != driver_->avail_index()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  SimulatedMemory memory_;
  SwitchSettings settings_;
  bridge::MacTable table_{64};
  std::atomic<uint32_t> now_{0};
  vhost::TransmitRing transmit_;
  vhost::UniqueFd kick_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<DriverRing> driver_;
  std::unique_ptr<Workers> workers_;
  unsigned kicks_ = 0;
};

TEST_P(WorkerTest, KicksThatCannotBeWaitedForAreRefused) {
  const vhost::UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(workers_->watch_kicks(0, 0, file.get())) << "epoll takes no regular files";
}

TEST_P(WorkerTest, NoWakeUpIsLost) {
  constexpr unsigned kRounds = 3000;
  for (unsigned round = 0; round < kRounds; ++round) {
    send();
    if (round % 3 == 0) send();  // perhaps while it falls asleep
    ASSERT_TRUE(served()) << "round " << round << ": asleep, and a chain waits";
  }
  const WorkerInfo info = workers_->info().at(0);
  EXPECT_GT(info.sleeps, 0u);
  EXPECT_GT(kicks_, 0u);
  EXPECT_EQ(driver_->used_index(), info.frames);
  const PortCounters counters = workers_->counters(0);
  EXPECT_EQ(info.frames, counters.ingress[static_cast<size_t>(bridge::Ingress::frames)]);
}

TEST_P(WorkerTest, RingsThatStartAndSnapshotsThatChangeWakeASleeper) {
  for (unsigned round = 0; round < 200; ++round) {
    stop_ring();
    driver_->offer(0);  // while nobody looks, and without a kick
    start_ring();
    ASSERT_TRUE(served()) << round;
    workers_->publish(topology());  // returns although the worker sleeps
    send();
    ASSERT_TRUE(served()) << round;
  }
}

// A hostile VMM holds the worker in a write into its eventfd: whoever waits for the worker then,
// and be it the one who otherwise watches for that, goes on.
TEST_P(WorkerTest, AnInterruptThatHangsHoldsNobodyThatWaitsForWorkers) {
  stop_ring();
  const vhost::UniqueFd full(::eventfd(0, EFD_CLOEXEC));
  const uint64_t most = 0xffff'ffff'ffff'fffe;
  ASSERT_EQ(8, ::write(full.get(), &most, sizeof(most)));
  start_ring(full.get());
  send();
  ASSERT_TRUE(served());
  workers_->publish(topology());
  std::vector<uint16_t> hung;
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (hung.empty() && std::chrono::steady_clock::now() < until) {
    hung = workers_->check_notifiers();
  }
  EXPECT_EQ(std::vector<uint16_t>{0}, hung);
}

// Each transmit ring of a port is polled by one worker, rings next to each other by different ones;
// ports have their homes where there are fewest.
TEST(WorkersTest, RingsOfAPortAreSharedOut) {
  SwitchSettings settings;
  settings.workers = {0, 0, 0};
  bridge::MacTable table(64);
  const std::atomic<uint32_t> now{0};
  Workers workers(settings, choose_cpu_level(""), 1'000'000'000, table, now);
  workers.assign(0);
  workers.assign(7);
  workers.publish(bridge::Topology(std::vector<bridge::TopologyPort>{{0, {}}, {7, {}}}));
  std::array<vhost::TransmitRing, 4> transmit;  // not running: they are passed over
  vhost::RunningRings rings;
  rings.transmit[0] = &transmit[0];
  rings.transmit[1] = &transmit[1];
  rings.transmit[3] = &transmit[3];
  workers.use_rings(7, rings);
  using Ports = std::vector<uint16_t>;
  EXPECT_EQ(workers.ports_of(0), Ports{0});
  EXPECT_EQ(workers.ports_of(1), Ports{7});  // its home: pairs 0 and 3
  EXPECT_EQ(workers.ports_of(2), Ports{7});  // pair 1
  rings.transmit[2] = &transmit[2];
  workers.use_rings(7, rings);
  EXPECT_EQ(workers.ports_of(0), (Ports{0, 7}));
  workers.use_rings(7, {});
  EXPECT_EQ(workers.ports_of(2), Ports{});
  workers.release(7);
  EXPECT_EQ(workers.ports_of(1), Ports{});
}

INSTANTIATE_TEST_SUITE_P(Suppression, WorkerTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "EventIndex" : "Flags"; });

}  // namespace
}  // namespace datapath::test
