// A VM that migrates: its VMM copies memory that the switch writes into, and every page written to
// is marked in the dirty log. What is compared is memory itself, before and after.
#include <random>

#include "frontend/error.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::DirtyLog;
using frontend::Guest;
using frontend::GuestMemory;

constexpr uint16_t kSender = 0;
constexpr uint16_t kVm = 1;
constexpr int kRounds = kSanitized ? 6 : 20;
constexpr unsigned kFramesARound = 40;

// Pages of memory that have changed since.
class Snapshot {
 public:
  // Of [start, end) of each region; nothing that the guest itself writes to meanwhile.
  explicit Snapshot(const GuestMemory& memory) {
    for (std::size_t region = 0; region < memory.regions(); ++region) {
      const auto bytes = memory.bytes(region);
      add(memory.table()[region].guest_address, bytes.data(), bytes.size());
    }
  }
  // Of a ring's used area, which is the device's alone.
  Snapshot(const GuestMemory& memory, const frontend::Ring& ring) {
    const uint64_t guest = ring.address(0).log;
    add(guest, memory.host(guest), 6 + 8u * ring.size());
  }
  std::set<uint64_t> changed() const {
    std::set<uint64_t> pages;
    for (const Part& part : parts_) {
      for (std::size_t i = 0; i < part.before.size(); ++i) {
        if (part.now[i] != part.before[i]) pages.insert((part.guest + i) / DirtyLog::kPage);
      }
    }
    return pages;
  }

 private:
  struct Part {
    uint64_t guest;
    const volatile uint8_t* now;
    std::vector<uint8_t> before;
  };
  void add(uint64_t guest, const uint8_t* at, std::size_t bytes) {
    parts_.push_back({guest, at, {at, at + bytes}});
  }
  std::vector<Part> parts_;
};

// A bit follows what it stands for: it may come a moment after that was seen.
void expect_marked(const std::set<uint64_t>& changed, DirtyLog& log) {
  EXPECT_FALSE(changed.empty()) << "nothing was written: the test shows nothing";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  std::set<uint64_t> marked;
  for (const uint64_t page : changed) {
    while (!marked.contains(page) && std::chrono::steady_clock::now() < deadline) {
      marked.merge(log.take());
    }
    ASSERT_TRUE(marked.contains(page)) << "page " << page << " of " << changed.size();
  }
}

class Migration : public testing::Test {
 protected:
  void start(const Driver& driver, uint64_t more_features = 0) {
    frontend::GuestOptions options;
    const std::string port = driver.packed ? "packed" : "vm";
    if (driver.packed) net_.process.call("port.add", {{"name", port}, {"packed", true}});
    options.socket = net_.process.socket(port);
    driver.apply(options);
    options.features |= more_features;
    options.memory.regions = {6u << 20, 6u << 20};
    net_.crowd.add(port, options);
    if (more_features == 0) net_.crowd.announce();
    log_.emplace(vm().memory());
  }
  Guest& vm() { return net_.crowd.at(kVm).guest; }

  // The VM takes in nothing meanwhile, so that only the switch writes into its memory.
  void expect_deliveries_marked(std::mt19937_64& random) {
    net_.crowd.settle_whole();
    net_.crowd.at(kVm).receives = false;
    log_->take();
    const Snapshot before(vm().memory());
    for (unsigned i = 0; i < kFramesARound; ++i) {
      const auto size = static_cast<uint32_t>(60 + random() % (i % 8 == 0 ? 8900 : 1455));
      if (!net_.crowd.can_send(kSender, kVm, size)) break;
      net_.crowd.send(kSender, kVm, size, random_shape(random, size, true));
    }
    net_.crowd.settle();
    expect_marked(before.changed(), *log_);
    net_.crowd.at(kVm).receives = true;
  }
  void expect_returns_marked() {
    net_.crowd.settle_whole();
    log_->take();
    const Snapshot before(vm().memory(), vm().transmit_ring());
    for (uint32_t size = 60; size < 90; ++size) net_.crowd.send(kVm, kSender, size);
    net_.crowd.settle();
    expect_marked(before.changed(), *log_);
  }

  Net net_{1, {"--port", "vm", "--port", "other"}};
  std::optional<DirtyLog> log_;
};

class EveryDriver : public Migration, public testing::WithParamInterface<Driver> {};

TEST_P(EveryDriver, EveryPageWrittenToIsMarked) {
  std::mt19937_64 random(7);
  start(GetParam());
  vm().start_logging(*log_);
  for (int round = 0; round < kRounds; ++round) {
    expect_deliveries_marked(random);
    // What a packed ring gives back lies where the driver writes, too.
    if (!GetParam().packed) expect_returns_marked();
    if (HasFatalFailure()) return;
  }
  expect_whole(net_);
}

INSTANTIATE_TEST_SUITE_P(Drivers, EveryDriver, testing::ValuesIn(drivers()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(PackedDrivers, EveryDriver, testing::ValuesIn(packed_drivers()),
                         [](const auto& test) { return test.param.name; });

TEST_F(Migration, NothingIsMarkedBeforeAndAfter) {
  std::mt19937_64 random(8);
  start(drivers().front());
  vm().connection().set_log_base(log_->bytes(), log_->descriptor());
  vm().await_served();  // SET_LOG_BASE is answered while the rings still stand
  net_.crowd.send(kSender, kVm, 1000);
  expect_whole(net_);
  EXPECT_TRUE(log_->take().empty()) << "a log alone starts no logging";
  vm().start_logging(*log_);
  expect_deliveries_marked(random);
  vm().stop_logging();
  vm().connection().get_features();
  log_->take();
  net_.crowd.send(kSender, kVm, 1000);
  expect_whole(net_);
  EXPECT_TRUE(log_->take().empty());
}

// While its rings are paused for the change a VM misses frames, each counted, and goes on after it.
TEST_F(Migration, StartsAndEndsUnderTraffic) {
  start(drivers().front());
  for (int round = 0; round < 40; ++round) {
    for (uint32_t size = 60; size < 120; ++size) {
      net_.crowd.try_send(kSender, kVm, size);
      net_.crowd.try_send(kVm, kSender, size);
    }
    if (round % 2 == 0) {
      vm().start_logging(*log_);
    } else {
      vm().stop_logging();
    }
    net_.crowd.turn();
  }
  const Books books = expect_balanced(net_);
  EXPECT_EQ(books.dropped("vm", "egress"),
            books.egress("vm", "drop_no_guest") + books.egress("vm", "drop_no_buffer"));
  EXPECT_EQ(books.dropped("vm", "ingress"), 0u);
  net_.crowd.accept_losses();
  net_.crowd.send(kSender, kVm, 1000);
  net_.crowd.send(kVm, kSender, 1000);
  expect_whole(net_);
}

// As QEMU has it when a driver starts in the middle of a migration.
TEST_F(Migration, RingsWaitForTheirLog) {
  std::mt19937_64 random(9);
  start(drivers().front(), frontend::feature::kLogAll);
  ASSERT_TRUE(net_.crowd.try_send(kSender, kVm, 1000));
  EXPECT_EQ(expect_balanced(net_).egress("vm", "frames"), 0u);
  net_.crowd.accept_losses();
  vm().connection().set_log_base(log_->bytes(), log_->descriptor());
  expect_deliveries_marked(random);
  expect_returns_marked();
}

// Memory that grows beyond the log is not written to before there is a longer one.
TEST_F(Migration, MemoryBeyondTheLogWaitsForALongerOne) {
  std::mt19937_64 random(10);
  start(drivers().front());
  constexpr std::size_t kFirst[] = {0};
  constexpr std::size_t kBoth[] = {0, 1};
  vm().memory().show(kFirst);
  vm().share_memory();
  const DirtyLog shorter(vm().memory());
  vm().start_logging(shorter);
  vm().memory().show(kBoth);
  vm().share_memory();
  net_.crowd.settle_whole();
  ASSERT_TRUE(net_.crowd.try_send(kSender, kVm, 1000));
  EXPECT_EQ(expect_balanced(net_).egress("vm", "drop_no_guest"), 1u);
  net_.crowd.accept_losses();
  vm().start_logging(*log_);
  expect_deliveries_marked(random);
}

TEST_F(Migration, ATornLogCostsItsVmmAlone) {
  start(drivers().front());
  net_.add("other");
  net_.crowd.announce();
  log_.emplace(vm().memory(), false);
  vm().start_logging(*log_);
  log_->truncate();
  net_.crowd.try_send(kSender, kVm, 1000);
  EXPECT_THAT(net_.process.await_state("vm", "faulted"), testing::HasSubstr("truncated"));
  EXPECT_TRUE(vm().connection().wait_closed(kDeadline));
  vm().disconnect();
  net_.crowd.accept_losses();
  net_.crowd.send(kSender, 2, 1000);
  net_.crowd.send(2, kSender, 1000);
  net_.crowd.settle_whole();
  EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
}

TEST_F(Migration, ALogTooShortIsRefused) {
  start(drivers().front());
  EXPECT_THROW(vm().connection().set_log_base(8, log_->descriptor()), frontend::Error);
  EXPECT_THAT(net_.process.await_state("vm", "faulted"),
              testing::HasSubstr("SET_LOG_BASE of 8 bytes"));
}

}  // namespace
}  // namespace testbed
