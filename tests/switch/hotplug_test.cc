// Memory that comes and goes under running rings (SET_MEM_TABLE on a live device): the rings go on,
// and a frame is lost only when its memory is not there, or its receiver stands still for a moment.
#include <random>

#include "frontend/error.h"
#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::Guest;
using frontend::GuestMemory;

constexpr uint16_t kOther = 0;
constexpr uint16_t kVm = 1;
constexpr auto kSoon = std::chrono::seconds(10);

class Hotplug : public testing::Test {
 protected:
  // Rings and receive buffers lie in the first region, what is sent in the seven others.
  void start() {
    frontend::GuestOptions options;
    options.socket = net_.process.socket("vm");
    options.transmit_size = 128;
    options.memory.regions = {8u << 20};
    options.memory.regions.resize(frontend::kMaxRegions, 256u << 10);
    net_.crowd.add("vm", options);
    fill_first_region();
    net_.crowd.announce();
  }
  Guest& vm() { return net_.crowd.at(kVm).guest; }

  void fill_first_region() {
    try {
      for (;;) vm().memory().allocate_in(0, 4096, 4096);
    } catch (const frontend::Error&) {
    }
  }
  void plug(std::vector<std::size_t> regions) {
    vm().memory().show(regions);
    vm().share_memory();
  }
  std::vector<std::size_t> all() {
    std::vector<std::size_t> regions(vm().memory().regions());
    for (std::size_t i = 0; i < regions.size(); ++i) regions[i] = i;
    return regions;
  }
  void burst(std::mt19937_64& random) {
    for (int i = 0; i < 40; ++i) {
      const auto size = static_cast<uint32_t>(60 + random() % 3000);
      net_.crowd.try_send(kOther, kVm, size, random_shape(random, size, true));
      net_.crowd.try_send(kVm, kOther, size, random_shape(random, size, true));
    }
  }

  Net net_{1, {"--port", "vm"}};
};

TEST_F(Hotplug, RegionsComeAndGoUnderTraffic) {
  std::mt19937_64 random(3);
  start();
  for (int round = 0; round < (kSanitized ? 15 : 60); ++round) {
    std::vector<std::size_t> regions = {0};
    for (std::size_t region = 1; region < frontend::kMaxRegions; ++region) {
      if ((random() & 3) != 0) regions.push_back(region);
    }
    std::shuffle(regions.begin(), regions.end(), random);
    burst(random);
    plug(regions);  // while these frames are on their way
    net_.crowd.turn();
    burst(random);
    net_.crowd.turn();
  }
  plug(all());
  net_.crowd.settle();
  const Books books = read_books(net_.process);
  EXPECT_GT(net_.crowd.received(kOther), 0u);
  EXPECT_GT(books.ingress("vm", "drop_malformed"), 0u)
      << "some were sent from memory that was gone";
  EXPECT_EQ(books.ingress("vm", "drop_malformed"), books.dropped("vm", "ingress"));
  EXPECT_EQ(books.dropped("vm", "egress"),
            books.egress("vm", "drop_no_guest") + books.egress("vm", "drop_no_buffer"));
  net_.crowd.accept_losses();
  for (uint32_t size = 60; size < 1000; ++size) {
    net_.crowd.send(kOther, kVm, size);
    net_.crowd.send(kVm, kOther, size);
  }
  net_.crowd.settle_whole();
  EXPECT_THAT(net_.crowd.problems(), testing::IsEmpty());
}

// Nothing is lost but what comes while the receive ring stands still, when no memory in use goes.
TEST_F(Hotplug, OtherMemoryComesAndGoes) {
  start();
  for (std::size_t count = 1; count <= 100; ++count) {
    for (uint32_t size = 60; size < 100; ++size) net_.crowd.send(kVm, kOther, size);
    std::vector<std::size_t> regions = all();
    // What was plugged in last is used by nobody: 128 frames of 100 bytes fill less.
    if (count % 2 != 0) regions.pop_back();
    plug(regions);
  }
  const Books books = expect_whole(net_);
  EXPECT_EQ(books.dropped("vm", "ingress"), 0u);
}

// A receive buffer in memory that came later is written to; in memory that has gone it is returned
// empty, its frame counted, and the ring goes on with the next one.
TEST(HotplugReceive, BuffersInMemoryThatCameAndWent) {
  SwitchProcess process({"--port", "vm", "--port", "other"});
  frontend::GuestOptions options;
  options.socket = process.socket("other");
  Guest other(options);
  other.start();
  options.socket = process.socket("vm");
  options.memory.regions = {4u << 20, 1u << 20};
  Guest vm(options);
  constexpr std::size_t kFirst[] = {0};
  constexpr std::size_t kBoth[] = {0, 1};
  vm.memory().show(kFirst);
  vm.start();
  const auto share = [&](std::span<const std::size_t> regions) {
    vm.memory().show(regions);
    vm.share_memory();
    vm.await_served();
  };
  share(kBoth);

  frontend::Ring& ring = vm.receive_ring();
  constexpr std::size_t kRegionOf[] = {1, 1, 0};
  std::vector<uint8_t*> buffers;
  for (uint16_t id = 0; id < 3; ++id) {
    buffers.push_back(vm.memory().allocate_in(kRegionOf[id], 2048));
    ring.descriptors()[id] = {vm.memory().guest_address(buffers[id]), 2048,
                              frontend::kDescriptorWrite, 0};
    ring.set_available(id, id);
  }
  ring.publish(3);
  const auto frame = frame_between(frontend::kBroadcastAddress, 0x0000'0000'0902, 200);
  const auto expect_used = [&](uint16_t id, uint32_t length) {
    ASSERT_TRUE(other.send(frame));
    const auto deadline = std::chrono::steady_clock::now() + kSoon;
    while (ring.pending() == 0) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    EXPECT_EQ(ring.used(0).id, id);
    EXPECT_EQ(ring.used(0).length, length);
    ring.consume(1);
    const bool same = std::equal(frame.begin(), frame.end(), buffers[id] + 12);
    EXPECT_EQ(same, length != 0);
  };
  expect_used(0, 212);
  share(kFirst);
  expect_used(1, 0);
  expect_used(2, 212);
  EXPECT_EQ(read_books(process).egress("vm", "drop_malformed"), 1u);
}

}  // namespace
}  // namespace testbed
