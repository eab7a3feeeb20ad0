// Guests with several pairs of queues: a flow keeps its receive queue and its order, whichever
// queues run and whoever polls them, and no frame is lost that had somewhere to go.
#include <map>
#include <random>
#include <set>

#include "lib/frames.h"
#include "lib/net.h"

namespace testbed {
namespace {

using testing::HasSubstr;

constexpr uint16_t kPairs = 4;
constexpr uint16_t kFlows = 48;
constexpr uint64_t kSender = 0x0000'0000'0102;
constexpr uint64_t kReceiver = 0x0000'0000'0202;

void put_be(std::vector<uint8_t>& frame, std::size_t at, uint64_t value, unsigned count) {
  while (count-- > 0) frame[at++] = static_cast<uint8_t>(value >> 8 * count);
}

// UDP over IPv4, from port 1024 + flow; its number in the first bytes of the payload.
std::vector<uint8_t> datagram(uint16_t flow, uint32_t number) {
  std::vector<uint8_t> frame = frame_between(kReceiver, kSender, 60);
  put_be(frame, 12, 0x0800'45, 3);
  put_be(frame, 23, 17, 1);
  put_be(frame, 26, 0x0a00'0001, 4);
  put_be(frame, 30, 0x0a00'0002, 4);
  put_be(frame, 34, 1024u + flow, 2);
  put_be(frame, 36, 9, 2);
  put_be(frame, 42, number, 4);
  return frame;
}

struct Datagram {
  uint16_t flow;
  uint32_t number;
};

Datagram read(const std::vector<uint8_t>& frame) {
  const auto byte = [&](std::size_t at) { return uint32_t{frame.at(at)}; };
  return {static_cast<uint16_t>((byte(34) << 8 | byte(35)) - 1024),
          byte(42) << 24 | byte(43) << 16 | byte(44) << 8 | byte(45)};
}

class Multiqueue : public testing::Test {
 protected:
  void start(const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> all = {"--port", "a", "--port", "b"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    process_.emplace(all);
    sender_.emplace(options("a"));
    receiver_.emplace(options("b"));
    begin(kPairs);
    learn();
  }
  frontend::GuestOptions options(const std::string& port, uint16_t pairs = kPairs) {
    frontend::GuestOptions options;
    options.socket = process_->socket(port);
    options.pairs = pairs;
    options.required_features = frontend::feature::kMultiqueue;
    return options;
  }
  void begin(uint16_t filled_pairs) {
    for (frontend::Guest* guest : {&*sender_, &*receiver_}) guest->start();
    fill(filled_pairs);
  }
  void fill(uint16_t pairs) {
    pairs_filled_ = pairs;
    for (uint16_t pair = 0; pair < pairs; ++pair) receiver_->receive(pair).fill();
    receiver_->await_served();
  }
  // The switch knows where the receiver lives, and all that was sent for it has arrived.
  void learn() {
    const std::vector<uint8_t> hello = frame_between(kLinkLocalAddress, kReceiver, 60);
    ASSERT_TRUE(receiver_->send(hello));
    await([&] { return receiver_->transmit().reclaim() != 0; });
  }
  template <typename Condition>
  void await(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  // Each flow from one transmit queue, always the same.
  void send(uint16_t flow) {
    frontend::TransmitQueue& queue = sender_->transmit(flow % kPairs);
    const std::vector<uint8_t> frame = datagram(flow, ++sent_[flow]);
    await([&] {
      receive();
      queue.reclaim();
      return queue.send(frame);
    });
    queue.publish();
  }
  // One datagram of each flow, all received before the next: no queue runs out of buffers.
  void send_round() {
    for (uint16_t flow = 0; flow < kFlows; ++flow) send(flow);
    await([&] {
      receive();
      return received_ == sent();
    });
  }
  void receive() {
    for (uint16_t pair = 0; pair < pairs_filled_; ++pair) {
      while (const auto frame = receiver_->receive(pair).receive()) {
        note(pair, read(frame->bytes));
      }
      receiver_->receive(pair).fill();
    }
  }
  void note(uint16_t pair, const Datagram& found) {
    uint32_t& last = last_[{pair, found.flow}];
    if (found.number <= last) ++misordered_;
    last = found.number;
    queues_[found.flow].insert(pair);
    ++received_;
  }
  uint64_t sent() const {
    uint64_t sum = 0;
    for (const auto& [flow, number] : sent_) sum += number;
    return sum;
  }
  void settle() {
    await([&] {
      receive();
      for (uint16_t pair = 0; pair < kPairs; ++pair) sender_->transmit(pair).reclaim();
      const Books books = read_books(*process_);
      return books.ingress("a", "frames") == sent() && received_ == books.egress("b", "frames") &&
             books.egress("b", "attempted") == sent();
    });
  }
  void toggle_under_traffic();
  void change_from_one_pair_to_all(frontend::MessageOrder order);
  std::set<uint16_t> used_queues() const {
    std::set<uint16_t> all;
    for (const auto& [flow, queues] : queues_) all.insert(queues.begin(), queues.end());
    return all;
  }

  std::optional<SwitchProcess> process_;
  std::optional<frontend::Guest> sender_;
  std::optional<frontend::Guest> receiver_;
  std::map<uint16_t, uint32_t> sent_;
  std::map<std::pair<uint16_t, uint16_t>, uint32_t> last_;  // by queue and flow
  std::map<uint16_t, std::set<uint16_t>> queues_;           // that a flow was seen on
  uint16_t pairs_filled_ = 0;
  uint64_t received_ = 0;
  unsigned misordered_ = 0;
};

TEST_F(Multiqueue, FlowsAreSpreadAndEachKeepsItsQueue) {
  start();
  EXPECT_EQ(receiver_->queue_num(), 32u);
  for (unsigned i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(send_round());
  settle();
  EXPECT_EQ(received_, sent()) << "none was lost";
  EXPECT_EQ(misordered_, 0u);
  EXPECT_EQ(used_queues().size(), kPairs);
  for (const auto& [flow, queues] : queues_) EXPECT_EQ(queues.size(), 1u) << flow;
  EXPECT_EQ(process_->port("b").at("running_queues"), kPairs);
}

// Arguments for two workers; none on a machine with one CPU, which has one.
std::vector<std::string> two_workers() {
  const nlohmann::json cpus = SwitchProcess({}).call("status").at("workers");
  if (cpus.at(0) == 0) return {};
  return {"--workers", "0," + std::to_string(cpus.at(0).get<int>())};
}

TEST_F(Multiqueue, TwoWorkersShareThePairs) {
  const std::vector<std::string> workers = two_workers();
  if (workers.empty()) return;
  start(workers);
  for (unsigned i = 0; i < 100; ++i) ASSERT_NO_FATAL_FAILURE(send_round());
  settle();
  EXPECT_EQ(received_, sent());
  EXPECT_EQ(misordered_, 0u);
  for (const auto& [flow, queues] : queues_) EXPECT_EQ(queues.size(), 1u) << flow;
  const nlohmann::json stats = process_->call("stats.get");
  for (const auto& worker : stats.at("workers")) {
    EXPECT_GT(worker.at("frames"), 0) << worker.at("cpu");
  }
}

// Receive queues go and come under traffic: frames go to those that run. One that stops while a
// worker delivers to it may cost the frames of that moment, by their counter.
void Multiqueue::toggle_under_traffic() {
  std::mt19937 random(5);
  for (unsigned round = 0; round < 60; ++round) {
    const auto pair = static_cast<uint16_t>(1 + random() % (kPairs - 1));
    receiver_->connection().set_vring_enable(2u * pair, random() % 2 == 0);
    for (uint16_t flow = 0; flow < kFlows; ++flow) send(flow);
  }
  settle();
  const Books books = read_books(*process_);
  const uint64_t counted = books.egress("b", "drop_no_buffer") + books.egress("b", "drop_no_guest");
  EXPECT_EQ(received_ + counted, sent());
  EXPECT_GT(received_, sent() / 2) << "queue 0 always ran";
  EXPECT_EQ(misordered_, 0u);
}

TEST_F(Multiqueue, QueuesAreToggledUnderTraffic) {
  start();
  toggle_under_traffic();
}

TEST_F(Multiqueue, QueuesOfTwoWorkersAreToggledUnderTraffic) {
  start(two_workers());
  toggle_under_traffic();
}

TEST_F(Multiqueue, WithoutARunningQueueFramesAreCounted) {
  start();
  for (uint16_t pair = 0; pair < kPairs; ++pair) {
    receiver_->connection().set_vring_enable(2u * pair, false);
  }
  receiver_->await_served();  // what is answered need not be done
  for (uint16_t flow = 0; flow < kFlows; ++flow) send(flow);
  settle();
  EXPECT_EQ(received_, 0u);
  EXPECT_EQ(read_books(*process_).egress("b", "drop_no_guest"), kFlows);
}

// A driver that uses fewer queues than its device has, and a VMM that leaves the others enabled.
TEST_F(Multiqueue, QueuesThatWereNeverFilledArePassedOver) {
  process_.emplace(std::vector<std::string>{"--port", "a", "--port", "b"});
  sender_.emplace(options("a"));
  receiver_.emplace(options("b"));
  begin(2);
  learn();
  for (uint16_t flow = 0; flow < kFlows; ++flow) {
    sender_->transmit(0).send(datagram(flow, ++sent_[flow]));
  }
  sender_->transmit(0).publish();
  await([&] {
    for (uint16_t pair = 0; pair < 2; ++pair) {
      while (const auto frame = receiver_->receive(pair).receive()) note(pair, read(frame->bytes));
    }
    return received_ == kFlows;
  });
  EXPECT_EQ(used_queues(), (std::set<uint16_t>{0, 1}));
}

// The firmware knows of one pair and leaves the others alone; the system takes all of them.
void Multiqueue::change_from_one_pair_to_all(frontend::MessageOrder order) {
  process_.emplace(std::vector<std::string>{"--port", "a", "--port", "b"});
  sender_.emplace(options("a"));
  frontend::GuestOptions firmware = options("b");
  const uint64_t system = firmware.features | frontend::feature::kMultiqueue;
  firmware.order = order;
  firmware.required_features = 0;
  receiver_.emplace(firmware);
  receiver_->use_pairs(1);
  begin(1);
  learn();
  for (uint16_t flow = 0; flow < kFlows; ++flow) send(flow);
  settle();
  EXPECT_EQ(used_queues(), (std::set<uint16_t>{0}));
  EXPECT_EQ(process_->port("b").at("running_queues"), 1);

  receiver_->stop();
  receiver_->next_driver(system);
  receiver_->use_pairs(kPairs);
  receiver_->start();
  fill(kPairs);
  learn();
  for (unsigned i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(send_round());
  settle();
  EXPECT_EQ(received_, sent());
  EXPECT_EQ(used_queues().size(), kPairs);
}

TEST_F(Multiqueue, FirmwareWithOnePairThenTheSystem) {
  change_from_one_pair_to_all(frontend::MessageOrder::cloud_hypervisor);
}

TEST_F(Multiqueue, FirmwareWithOnePairThenTheSystemUnderQemu) {
  change_from_one_pair_to_all(frontend::MessageOrder::qemu);
}

TEST_F(Multiqueue, RingsBeyondThePortAreRefused) {
  process_.emplace(std::vector<std::string>{"--port", "a"});
  frontend::Guest guest(options("a"));
  guest.start();
  guest.connection().acknowledged(false);
  guest.connection().set_vring_enable(32, true);
  EXPECT_TRUE(guest.connection().wait_closed(kDeadline));
  EXPECT_THAT(process_->await_state("a", "faulted"), HasSubstr("rings 0 to 31"));
}

// Enabled without ever having been set up, or set up without multiqueue.
TEST_F(Multiqueue, RingsThatAreNotSetUpStandStill) {
  start();
  for (const uint32_t ring : {8u, 9u, 31u}) receiver_->connection().set_vring_enable(ring, true);
  for (uint16_t flow = 0; flow < kFlows; ++flow) send(flow);
  settle();
  EXPECT_EQ(received_, sent());
  EXPECT_EQ(process_->port("b").at("running_queues"), kPairs);
}

TEST_F(Multiqueue, IsNotOfferedForOnePair) {
  process_.emplace(std::vector<std::string>{});
  process_->call("port.add", {{"name", "a"}, {"queues", 1}, {"transient", true}});
  frontend::GuestOptions one = options("a", 1);
  one.required_features = 0;
  one.features |= frontend::feature::kMultiqueue | frontend::feature::kControlQueue;
  frontend::Guest guest(one);
  guest.start();
  EXPECT_EQ(guest.queue_num(), 2u);
  EXPECT_EQ(guest.features() & frontend::feature::kMultiqueue, 0u);
  EXPECT_EQ(guest.features() & frontend::feature::kControlQueue, 0u);
}

}  // namespace
}  // namespace testbed
