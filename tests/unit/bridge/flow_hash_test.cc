// Which frames are of one flow, and which are not.
#include "bridge/flow_hash.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace bridge::test {
namespace {

using Octets = std::basic_string<uint8_t>;

Octets big_endian(uint64_t value, unsigned count) {
  Octets octets;
  while (count-- > 0) octets += static_cast<uint8_t>(value >> 8 * count);
  return octets;
}

struct Ends {
  uint64_t source;
  uint64_t destination;
};

Octets ethernet(Ends macs, const Octets& type) {
  return big_endian(macs.destination, 6) + big_endian(macs.source, 6) + type;
}

constexpr Ends kMacs{0x02'00'00'00'00'01, 0x02'00'00'00'00'02};
constexpr uint8_t kTcp = 6;
constexpr uint8_t kIcmp = 1;

// `fragment`: flags and offset. `options`: words behind the header's first five.
Octets ipv4(Ends hosts, Ends ports, uint8_t protocol = kTcp, uint16_t fragment = 0,
            unsigned options = 0) {
  Octets packet = big_endian(0x45 + options, 1) + Octets(5, 0) + big_endian(fragment, 2) +
                  Octets(1, 64) + big_endian(protocol, 1) + Octets(2, 0);
  packet += big_endian(hosts.source, 4) + big_endian(hosts.destination, 4);
  packet += Octets(4 * options, 1);
  return packet + big_endian(ports.source, 2) + big_endian(ports.destination, 2) + Octets(16, 7);
}

Octets ipv6(Ends hosts, Ends ports, uint8_t next = kTcp) {
  const Octets prefix = big_endian(0x2001'0db8'0000'0000, 8);
  Octets packet = Octets(1, 0x60) + Octets(5, 0) + big_endian(next, 1) + Octets(1, 64);
  packet += prefix + big_endian(hosts.source, 8) + prefix + big_endian(hosts.destination, 8);
  return packet + big_endian(ports.source, 2) + big_endian(ports.destination, 2) + Octets(16, 7);
}

const Octets kIpv4 = big_endian(0x0800, 2);
const Octets kIpv6 = big_endian(0x86dd, 2);
const Octets kTag = big_endian(0x8100'0005, 4);
const Octets kServiceTag = big_endian(0x88a8'0007, 4);
constexpr Ends kHosts{0x0a00'0001, 0x0a00'0002};
constexpr Ends kPorts{40000, 80};

constexpr Ends reversed(Ends ends) {
  return {ends.destination, ends.source};
}

class FlowHash : public testing::Test {
 protected:
  uint32_t hash(const Octets& frame, uint64_t key = 1) {
    batch_->length[0] = static_cast<uint32_t>(frame.size());
    batch_->head[0].fill(0xee);  // of an earlier frame
    const size_t size = std::min<size_t>(frame.size(), vhost::kHeadFrameBytes);
    std::copy_n(frame.data(), size, batch_->head[0].data() + vhost::kNetHeaderBytes);
    return flow_hash(*batch_, 0, key);
  }
  uint32_t tcp4(Ends hosts, Ends ports) {
    return hash(ethernet(kMacs, kIpv4) + ipv4(hosts, ports));
  }
  uint32_t tcp6(Ends hosts, Ends ports) {
    return hash(ethernet(kMacs, kIpv6) + ipv6(hosts, ports));
  }

  std::unique_ptr<vhost::Batch> batch_ = std::make_unique<vhost::Batch>();
};

TEST_F(FlowHash, BothDirectionsAreOneFlow) {
  EXPECT_EQ(tcp4(kHosts, kPorts), tcp4(reversed(kHosts), reversed(kPorts)));
  EXPECT_EQ(tcp6(kHosts, kPorts), tcp6(reversed(kHosts), reversed(kPorts)));
  const Octets type = big_endian(0x88b5, 2) + Octets(60, 3);
  EXPECT_EQ(hash(ethernet(kMacs, type)), hash(ethernet(reversed(kMacs), type)));
}

TEST_F(FlowHash, OtherAddressesOrPortsAreOtherFlows) {
  EXPECT_NE(tcp4(kHosts, kPorts), tcp4(reversed(kHosts), kPorts)) << "ports belong to their hosts";
  std::set<uint32_t> hashes;
  for (uint64_t i = 0; i < 100; ++i) {
    hashes.insert(tcp4(kHosts, {40000 + i, 80}));
    hashes.insert(tcp4({kHosts.source, 0x0a00'0100 + i}, kPorts));
    hashes.insert(tcp6(kHosts, {41000 + i, 80}));
    hashes.insert(tcp6({0x1'0000'0000 * (i + 1), 9}, kPorts));
    hashes.insert(hash(ethernet({kMacs.source, i}, big_endian(0x88b5, 2) + Octets(50, 3))));
  }
  EXPECT_GE(hashes.size(), 499u);
}

// What decides on a queue are the upper bits.
TEST_F(FlowHash, NeighboursSpreadEvenly) {
  std::array<unsigned, 16> queues{};
  constexpr unsigned kFlows = 1600;
  for (uint64_t i = 0; i < kFlows; ++i) {
    ++queues[uint64_t{tcp4(kHosts, {30000 + i, 5201})} * queues.size() >> 32];
  }
  for (const unsigned flows : queues) {
    EXPECT_GT(flows, 50u);
    EXPECT_LT(flows, 170u);
  }
}

TEST_F(FlowHash, TagsAndWhatComesBehindThePortsDoNotCount) {
  const uint32_t plain = tcp4(kHosts, kPorts);
  EXPECT_EQ(plain, hash(ethernet(kMacs, kTag + kIpv4) + ipv4(kHosts, kPorts)));
  EXPECT_EQ(plain, hash(ethernet(kMacs, kServiceTag + kTag + kIpv4) + ipv4(kHosts, kPorts)));
  EXPECT_EQ(plain, hash(ethernet(kMacs, kIpv4) + ipv4(kHosts, kPorts, kTcp, 0, 10)));
  EXPECT_EQ(plain, hash(ethernet({3, 4}, kIpv4) + ipv4(kHosts, kPorts) + Octets(1000, 9)));
  EXPECT_EQ(tcp6(kHosts, kPorts), hash(ethernet(kMacs, kTag + kIpv6) + ipv6(kHosts, kPorts)));
}

// The first has the ports, the others anything in their place.
TEST_F(FlowHash, FragmentsOfAPacketAreOneFlow) {
  constexpr uint16_t kMore = 0x2000;
  const auto fragment = [&](uint16_t place, Ends ports) {
    return hash(ethernet(kMacs, kIpv4) + ipv4(kHosts, ports, kTcp, place));
  };
  const uint32_t first = fragment(kMore, kPorts);
  EXPECT_EQ(first, fragment(kMore | 185, {1, 2}));
  EXPECT_EQ(first, fragment(370, {3, 4}));
  constexpr uint8_t kFragment = 44;
  EXPECT_EQ(hash(ethernet(kMacs, kIpv6) + ipv6(kHosts, kPorts, kFragment)),
            hash(ethernet(kMacs, kIpv6) + ipv6(kHosts, {3, 4}, kFragment)));
}

TEST_F(FlowHash, ProtocolsWithoutPortsGoByAddresses) {
  EXPECT_EQ(hash(ethernet(kMacs, kIpv4) + ipv4(kHosts, kPorts, kIcmp)),
            hash(ethernet(kMacs, kIpv4) + ipv4(kHosts, {3, 4}, kIcmp)));
}

// What lies behind a short frame in the batch is another frame's.
TEST_F(FlowHash, NothingBehindTheFrameIsLookedAt) {
  for (const Octets& whole : {ethernet(kMacs, kIpv4) + ipv4(kHosts, kPorts),
                              ethernet(kMacs, kTag + kIpv6) + ipv6(kHosts, kPorts)}) {
    for (size_t size = vhost::kEthernetHeaderBytes; size < whole.size(); ++size) {
      const Octets cut = whole.substr(0, size);
      const uint32_t once = hash(cut);
      batch_->head[0].fill(0x11);
      std::copy(cut.begin(), cut.end(), batch_->head[0].data() + vhost::kNetHeaderBytes);
      EXPECT_EQ(once, flow_hash(*batch_, 0, 1)) << size;
    }
  }
}

TEST_F(FlowHash, DependsOnTheKey) {
  const Octets frame = ethernet(kMacs, kIpv4) + ipv4(kHosts, kPorts);
  EXPECT_NE(hash(frame, 1), hash(frame, 2));
}

}  // namespace
}  // namespace bridge::test
