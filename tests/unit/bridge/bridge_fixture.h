// A bridge of five ports, and frames for it: 0 and 4 are open, 1 to 3 isolated, 9 is not there.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "addresses.h"
#include "bridge/bridge.h"

namespace bridge::test {

struct Frame {
  MacAddress destination;
  MacAddress source;
  uint32_t length = 60;
  vhost::FrameFault fault = vhost::FrameFault::none;
};

using Counts = std::map<std::string_view, uint64_t>;

// Those that are not zero, by name.
template <typename Counter, size_t N>
Counts counts_of(const CounterBlock<Counter>& block, const std::array<std::string_view, N>& names) {
  Counts counts;
  for (size_t i = 0; i < N; ++i) {
    if (block.get(i) != 0) counts[names[i]] = block.get(i);
  }
  return counts;
}

class BridgeTest : public ::testing::Test {
 protected:
  static constexpr uint16_t kRouter = 0;
  static constexpr uint16_t kClient = 1;
  static constexpr uint16_t kOtherClient = 2;
  static constexpr uint16_t kServer = 4;
  static constexpr uint16_t kGone = 9;

  BridgeTest() {
    for (const TopologyPort& port : kPorts) table_.set_port(port.index, port.rules);
    table_.set_port(kGone, {});
    batch_->clear();
  }

  // One burst of one port, behind those before it.
  void forward(uint16_t port, const std::vector<Frame>& frames) {
    const Burst burst{port, batch_->count, static_cast<unsigned>(frames.size())};
    for (const Frame& frame : frames) add(frame);
    bridge_->forward(topology_, *batch_, burst, now_, counters_);
  }

  // What is on the list of a port.
  std::vector<uint16_t> list(uint16_t port) const {
    EgressLists& lists = bridge_->lists();
    for (unsigned i = 0; i < lists.count(); ++i) {
      if (lists.port(i) != port) continue;
      return {lists.slots(i).begin(), lists.slots(i).end()};
    }
    return {};
  }

  Counts ingress() const {
    Counts counts = counts_of(counters_.ingress, kIngressNames);
    expect_sums(counts);
    return counts;
  }
  Counts learning() const { return counts_of(counters_.learning, kLearningNames); }

  static const std::vector<TopologyPort> kPorts;

  Topology topology_{kPorts};
  MacTable table_{256};
  std::unique_ptr<Bridge> bridge_ = std::make_unique<Bridge>(table_);
  std::unique_ptr<vhost::Batch> batch_ = std::make_unique<vhost::Batch>();
  PortCounterBlocks counters_;
  uint32_t now_ = 1;

 private:
  void add(const Frame& frame) {
    const unsigned slot = batch_->count++;
    uint8_t* at = batch_->head[slot].data() + vhost::kNetHeaderBytes;
    const uint64_t destination = frame.destination.wire_bits();
    const uint64_t source = frame.source.wire_bits();
    std::memcpy(at, &destination, 6);
    std::memcpy(at + 6, &source, 6);
    std::memset(at + 12, 0xab, 48);
    batch_->length[slot] = frame.length;
    batch_->fault[slot] = frame.fault;
  }

  // ingress: frames = forwarded + flooded + consumed + every drop; classes are of sound frames.
  static void expect_sums(const Counts& counts) {
    uint64_t fates = 0;
    uint64_t classes = 0;
    for (const auto& [name, count] : counts) {
      const bool fate = name == "forwarded" || name == "flooded" || name == "consumed" ||
                        name.starts_with("drop_");
      if (fate) fates += count;
      const bool of_a_class = name == "unicast" || name == "multicast" || name == "broadcast" ||
                              name == "drop_malformed" || name == "drop_header" ||
                              name == "drop_bad_offload" || name == "drop_runt" ||
                              name == "drop_oversize";
      if (of_a_class) classes += count;
    }
    EXPECT_EQ(counts.at("frames"), fates);
    EXPECT_EQ(counts.at("frames"), classes);
  }
};

inline const std::vector<TopologyPort> BridgeTest::kPorts = {{kRouter, {}},
                                                             {kClient, {.isolated = true}},
                                                             {kOtherClient, {.isolated = true}},
                                                             {3, {.isolated = true}},
                                                             {kServer, {}}};

}  // namespace bridge::test
