// Who sends to whom: every frame arrives once, whole, at the right guest, and the switch's counters
// are those of the guests.
#include <random>

#include "lib/net.h"

namespace testbed {
namespace {

constexpr uint16_t kGuests = 8;
constexpr unsigned kFrames = kSanitized ? 400 : 2000;

uint32_t mixed_size(std::mt19937_64& random) {
  constexpr uint32_t kUsual[] = {60, 64, 128, 590, 1514, 9014};
  const uint64_t dice = random();
  if (dice % 2 == 0) return kUsual[dice / 2 % std::size(kUsual)];
  return static_cast<uint32_t>(60 + dice / 2 % (kLargestFrame - 59));
}

class Traffic : public testing::Test {
 protected:
  Traffic() { net_.crowd.announce(); }

  void send(uint16_t from, uint16_t to) {
    const uint32_t size = mixed_size(random_);
    net_.crowd.send(from, to, size, random_shape(random_, size, true));
  }

  void expect_forwarded(const Books& books, uint64_t frames) {
    uint64_t forwarded = 0;
    for (uint16_t i = 0; i < kGuests; ++i) forwarded += books.ingress(port_name(i), "forwarded");
    EXPECT_EQ(forwarded, frames);
    for (uint16_t i = 0; i < kGuests; ++i) {
      EXPECT_EQ(books.dropped(port_name(i), "ingress"), 0u);
      EXPECT_EQ(books.dropped(port_name(i), "egress"), 0u);
    }
  }

  Net net_{kGuests};
  std::mt19937_64 random_{7};
};

TEST_F(Traffic, Pairs) {
  for (unsigned i = 0; i < kFrames; ++i) {
    for (uint16_t from = 0; from < kGuests; ++from) send(from, from ^ 1);
  }
  const Books books = expect_whole(net_);
  expect_forwarded(books, uint64_t{kFrames} * kGuests);
  EXPECT_EQ(net_.crowd.pair(2, 3).received, kFrames + 1);  // and the announcement
  EXPECT_EQ(net_.crowd.pair(2, 4).received, 1u);
}

TEST_F(Traffic, Mesh) {
  for (unsigned i = 0; i < kFrames; ++i) {
    for (uint16_t from = 0; from < kGuests; ++from) {
      send(from, static_cast<uint16_t>((from + 1 + i % (kGuests - 1)) % kGuests));
    }
  }
  expect_forwarded(expect_whole(net_), uint64_t{kFrames} * kGuests);
}

TEST_F(Traffic, Incast) {
  for (unsigned i = 0; i < kFrames; ++i) {
    for (uint16_t from = 1; from < kGuests; ++from) send(from, 0);
  }
  expect_forwarded(expect_whole(net_), uint64_t{kFrames} * (kGuests - 1));
}

TEST_F(Traffic, OneToMany) {
  for (unsigned i = 0; i < kFrames; ++i) {
    for (uint16_t to = 1; to < kGuests; ++to) send(0, to);
  }
  expect_forwarded(expect_whole(net_), uint64_t{kFrames} * (kGuests - 1));
}

TEST_F(Traffic, Broadcast) {
  for (unsigned i = 0; i < kFrames; ++i) {
    const uint32_t size = mixed_size(random_);
    net_.crowd.flood(0, frontend::kBroadcastAddress, size, net_.crowd.all_but(0),
                     random_shape(random_, size, true));
  }
  const Books books = expect_whole(net_);
  EXPECT_EQ(books.ingress("p0", "flooded"), kFrames + 1);
  EXPECT_EQ(books.ingress("p0", "broadcast"), kFrames + 1);
  EXPECT_EQ(books.egress("p5", "broadcast"), kFrames + kGuests - 1);
  EXPECT_EQ(books.egress("p0", "frames"), kGuests - 1u);  // never back to the sender
}

// More than a receiver takes: what is lost is counted at that receiver, and nothing else is lost.
TEST_F(Traffic, OverloadedIncastLosesByName) {
  net_.crowd.at(0).receives = false;
  for (unsigned i = 0; i < 1000; ++i) {
    for (uint16_t from = 1; from < 4; ++from) {
      const uint32_t size = mixed_size(random_);
      while (!net_.crowd.try_send(from, 0, size, random_shape(random_, size, true))) {
        net_.crowd.turn();
      }
    }
    for (uint16_t from = 4; from < kGuests; ++from) send(from, from ^ 1);
    if (i % 100 != 99) continue;
    net_.crowd.at(0).receives = true;  // now and then it empties its ring
    net_.crowd.turn();
    net_.crowd.at(0).receives = false;
  }
  net_.crowd.at(0).receives = true;
  const Books books = expect_balanced(net_);
  const uint64_t lost = books.egress("p0", "drop_no_buffer");
  EXPECT_GT(lost, 0u);
  uint64_t unaccounted = 3000;
  for (uint16_t from = 1; from < 4; ++from) unaccounted -= net_.crowd.pair(from, 0).received - 1;
  EXPECT_EQ(lost, unaccounted);
  EXPECT_EQ(net_.crowd.pair(4, 5).received, 1001u);
  EXPECT_EQ(books.dropped("p5", "egress"), 0u);
}

// One worker for some ports and another for the rest, one of them in its own time.
TEST(TwoWorkers, ShareThePorts) {
  const nlohmann::json cpus = SwitchProcess({}).call("status").at("workers");
  if (cpus.at(0) == 0) return;  // a machine with one CPU has one worker
  Net net(4, {"--workers", "0," + std::to_string(cpus.at(0).get<int>())});
  net.crowd.announce();
  for (unsigned i = 0; i < kFrames; ++i) {
    for (uint16_t from = 0; from < 4; ++from) {
      net.crowd.send(from, static_cast<uint16_t>((from + 1 + i % 3) % 4), 60 + i);
    }
  }
  expect_whole(net);
}

}  // namespace
}  // namespace testbed
