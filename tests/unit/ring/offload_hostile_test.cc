// Headers that lie, senders that change what they said, and limits.
#include <random>

#include "ring/offload_fixture.h"

namespace vhost::test {
namespace {

constexpr uint64_t kModern =
    feature::bit(feature::kVersion1) | feature::bit(feature::kRingIndirectDesc);
constexpr uint64_t kMerge = kModern | feature::bit(feature::kNetMergeableRxBuf);
constexpr uint64_t kSender = kModern | kSendsAll;
const FrameKind kTso4 = {.name = "tso4", .options = 12, .payload = 3000, .segment = 1000};
const FrameKind kTso6 = {
    .name = "tso6", .ipv6 = true, .options = 12, .payload = 3000, .segment = 1000};
const FrameKind kTcp = {.name = "tcp", .options = 12, .payload = 300};

class OffloadHostile : public OffloadTest {
 protected:
  OffloadHostile() { sender_.set_up(256, kSender); }

  FrameFault fault_of(const OffloadFrame& frame) {
    const Bytes bytes = sender_.with_header(frame);
    const FrameFault whole = fault_of_links({sender_.piece(bytes)});
    const Bytes header(bytes.begin(), bytes.begin() + 12);
    EXPECT_EQ(whole, fault_of_links({sender_.piece(header), sender_.piece(frame.bytes)}));
    return whole;
  }
  FrameFault fault_of_links(const Links& links) {
    sender_.next_buffer_ = 0x20000 + (sender_.next_buffer_ - 0x20000) % 0x20000;
    sender_.offer(links);
    EXPECT_EQ(1u, sender_.take());
    sender_.ring_.give_back(*sender_.batch_, 0, 1);
    return sender_.batch_->fault[0];
  }
  template <typename Change>
  FrameFault after(const FrameKind& kind, Change change) {
    OffloadFrame frame = make_offload_frame(kind);
    const Parsed p = parse(frame.bytes);
    change(frame, p);
    return fault_of(frame);
  }
};

TEST_F(OffloadHostile, WhatIsTrueIsTaken) {
  for (const FrameKind& kind : {kTcp, kTso4, kTso6}) {
    EXPECT_EQ(FrameFault::none, fault_of(make_offload_frame(kind)));
  }
}

TEST_F(OffloadHostile, WhatWasNotNegotiated) {
  const uint64_t csum = feature::bit(0);
  const uint64_t tso4 = feature::bit(11);
  const uint64_t tso6 = feature::bit(12);
  const uint64_t ecn = feature::bit(13);
  FrameKind with_ecn = kTso4;
  with_ecn.ecn = true;
  struct Row {
    uint64_t features;
    bool tcp, tso4, tso6, ecn;
  };
  const std::vector<Row> rows = {{0, false, false, false, false},
                                 {csum, true, false, false, false},
                                 {csum | tso4, true, true, false, false},
                                 {csum | tso6 | ecn, true, false, true, false},
                                 {csum | tso4 | ecn, true, true, false, true},
                                 {tso4 | tso6 | ecn, false, false, false, false}};
  for (const Row& row : rows) {
    const auto expected = [](bool good) { return good ? FrameFault::none : FrameFault::header; };
    const auto fault = [&](const FrameKind& kind) {
      sender_.set_up(256, kModern | row.features);
      return fault_of(make_offload_frame(kind));
    };
    EXPECT_EQ(expected(row.tcp), fault(kTcp)) << row.features;
    // Without a feature for segments a frame of 3,080 bytes is nothing special.
    EXPECT_EQ(expected(row.tso4), fault(kTso4)) << row.features;
    EXPECT_EQ(expected(row.tso6), fault(kTso6)) << row.features;
    EXPECT_EQ(expected(row.ecn), fault(with_ecn)) << row.features;
  }
}

TEST_F(OffloadHostile, TypesThatAreNotOffered) {
  for (unsigned type = 0; type < 256; ++type) {
    const unsigned plain = type & 0x7f;
    const FrameFault expected = plain == 1 || type == 0 ? FrameFault::none
                                : plain == 4            ? FrameFault::offload  // the frame is IPv4
                                                        : FrameFault::header;
    EXPECT_EQ(expected,
              after(kTso4, [&](OffloadFrame& f,
                               const Parsed&) { f.header.gso_type = static_cast<uint8_t>(type); }))
        << type;
  }
}

TEST_F(OffloadHostile, ChecksumsOutsideTheFrame) {
  const auto fault = [&](uint32_t start, uint32_t offset) {
    return after(kTcp, [&](OffloadFrame& f, const Parsed&) {
      f.header.checksum_start = static_cast<uint16_t>(start);
      f.header.checksum_offset = static_cast<uint16_t>(offset);
    });
  };
  const auto length = static_cast<uint32_t>(make_offload_frame(kTcp).bytes.size());
  EXPECT_EQ(FrameFault::none, fault(14, 0));
  EXPECT_EQ(FrameFault::none, fault(14, length - 16));
  EXPECT_EQ(FrameFault::none, fault(length - 2, 0));
  for (const auto& [start, offset] : std::vector<std::pair<uint32_t, uint32_t>>{{0, 16},
                                                                                {13, 16},
                                                                                {14, length - 15},
                                                                                {length - 1, 0},
                                                                                {length, 0},
                                                                                {0xffff, 0xffff},
                                                                                {14, 0xffff},
                                                                                {0xffff, 0},
                                                                                {0xfff0, 0x20}}) {
    EXPECT_EQ(FrameFault::offload, fault(start, offset)) << start << " " << offset;
  }
}

// Each is sound but for one thing.
TEST_F(OffloadHostile, SegmentsThatLie) {
  using Change = void (*)(OffloadFrame&, const Parsed&);
  const std::vector<std::pair<const char*, Change>> both = {
      {"size zero", [](auto& f, const auto&) { f.header.gso_size = 0; }},
      {"no checksum", [](auto& f, const auto&) { f.header.flags = 0; }},
      {"data valid instead", [](auto& f, const auto&) { f.header.flags = 2; }},
      {"start early", [](auto& f, const auto&) { --f.header.checksum_start; }},
      {"start late", [](auto& f, const auto&) { f.header.checksum_start += 4; }},
      {"offset of UDP", [](auto& f, const auto&) { f.header.checksum_offset = 6; }},
      {"other type", [](auto& f, const auto&) { f.header.gso_type ^= 5; }},
      {"ARP", [](auto& f, const auto&) { put16(f.bytes, 12, 0x0806); }},
      {"tags without end",
       [](auto& f, const auto&) {
         for (size_t at = 12; at < 110; at += 4) put16(f.bytes, at, 0x8100);
       }},
      {"version", [](auto& f, const auto& p) { f.bytes[p.ip] ^= 0x10; }},
      {"TCP header short", [](auto& f, const auto& p) { f.bytes[p.transport + 12] = 0x40; }},
      {"TCP header none", [](auto& f, const auto& p) { f.bytes[p.transport + 12] = 0; }},
      {"cut in IP", [](auto& f, const auto& p) { f.bytes.resize(p.ip + 10); }},
      {"cut in TCP", [](auto& f, const auto& p) { f.bytes.resize(p.transport + 19); }},
      {"cut in options", [](auto& f, const auto& p) { f.bytes.resize(p.payload - 1); }}};
  const std::vector<std::pair<const char*, Change>> only4 = {
      {"UDP", [](auto& f, const auto& p) { f.bytes[p.ip + 9] = 17; }},
      {"IHL", [](auto& f, const auto& p) { f.bytes[p.ip] = 0x44; }},
      {"IHL long", [](auto& f, const auto& p) { f.bytes[p.ip] = 0x46; }},
      {"fragment", [](auto& f, const auto& p) { f.bytes[p.ip + 7] = 1; }},
      {"more fragments", [](auto& f, const auto& p) { f.bytes[p.ip + 6] = 0x20; }}};
  const std::vector<std::pair<const char*, Change>> only6 = {
      {"UDP", [](auto& f, const auto& p) { f.bytes[p.ip + 6] = 17; }},
      {"options not there", [](auto& f, const auto& p) { f.bytes[p.ip + 6] = 0; }},
      {"fragment", [](auto& f, const auto& p) { f.bytes[p.ip + 6] = 44; }},
      {"options without end", [](auto& f, const auto& p) {
         f.bytes[p.ip + 6] = 60;
         std::fill_n(f.bytes.begin() + static_cast<ptrdiff_t>(p.ip + 40), 60, uint8_t{0});
       }}};
  for (const auto& [name, change] : both) {
    EXPECT_NE(FrameFault::none, after(kTso4, change)) << name;
    EXPECT_NE(FrameFault::none, after(kTso6, change)) << name;
  }
  for (const auto& [name, change] : only4)
    EXPECT_EQ(FrameFault::offload, after(kTso4, change)) << name;
  for (const auto& [name, change] : only6)
    EXPECT_EQ(FrameFault::offload, after(kTso6, change)) << name;
}

// Whatever a header says: taken and delivered in some form, or dropped by name; every frame that
// arrives is inside its buffers (the pages around them cannot be touched).
TEST_F(OffloadHostile, RandomHeadersBeforeRandomFrames) {
  std::mt19937 generator(20261127);
  const auto random = [&generator] { return static_cast<uint32_t>(generator()); };
  const std::vector<FrameKind> kinds = {kTcp, kTso4, kTso6};
  constexpr unsigned kRounds = 6000;
  unsigned taken = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    OffloadFrame frame = make_offload_frame(kinds[random() % kinds.size()], round);
    for (unsigned changes = random() % 3; changes > 0; --changes) {
      frame.bytes[12 + random() % 80] = static_cast<uint8_t>(random());
    }
    if (random() % 4 == 0) frame.bytes.resize(14 + random() % 200);
    auto* header = reinterpret_cast<uint8_t*>(&frame.header);
    for (unsigned changes = random() % 3; changes > 0; --changes) {
      header[random() % 10] = static_cast<uint8_t>(random() % 3 == 0 ? random() : random() % 8);
    }
    sender_.set_up(256, kSender);
    receiver_.set_up(
        256, (random() % 2 != 0 ? kMerge : kModern) | (random() % 2 != 0 ? kTakesChecksum : 0));
    for (int i = 0; i < 60; ++i) receiver_.post({receiver_.buffer(1526)});
    const Bytes bytes = sender_.with_header(frame);
    if (random() % 2 != 0) {
      const size_t at = random() % bytes.size();
      const auto middle = bytes.begin() + static_cast<ptrdiff_t>(at);
      sender_.offer(
          {sender_.piece(Bytes(bytes.begin(), middle)), sender_.piece(Bytes(middle, bytes.end()))});
    } else {
      sender_.offer({sender_.piece(bytes)});
    }
    ASSERT_EQ(1u, sender_.take());
    if (sender_.batch_->fault[0] != FrameFault::none) continue;
    ++taken;
    const Delivery result = deliver();
    ASSERT_EQ(result.delivered, receiver_.arrived().size());
  }
  EXPECT_GT(taken, kRounds / 10);
  EXPECT_LT(taken, kRounds * 9 / 10);
}

TEST_F(OffloadHostile, HeadersChangedAfterTheyWereChecked) {
  for (const FrameKind& kind : {kTcp, kTso4, kTso6}) {
    for (const uint8_t junk : std::to_array<uint8_t>({0x00, 0x45, 0xff})) {
      sender_.set_up(256, kSender);
      receiver_.set_up(256, kModern);
      for (int i = 0; i < 8; ++i) receiver_.post({receiver_.buffer(1526)});
      const OffloadFrame frame = make_offload_frame(kind);
      const Bytes bytes = sender_.with_header(frame);
      const Descriptor where = sender_.piece(bytes);
      sender_.offer({where});
      ASSERT_EQ(1u, sender_.take());
      sender_.memory_.fill(where.address, where.length, junk);
      const Delivery result = deliver();
      EXPECT_EQ(kind.segment != 0 ? 3u : 1u, result.delivered);
      for (const Arrived& each : receiver_.arrived()) {
        expect_checksum(each, false, "of what was delivered");
      }
    }
  }
}

// --- Lengths.

TEST_F(OffloadHostile, OnlyASegmentMayBeLongerThanAFrame) {
  const auto fault = [&](size_t payload, uint16_t segment, unsigned tags = 0) {
    return after({.name = "", .tags = tags, .payload = payload, .segment = segment},
                 [](OffloadFrame&, const Parsed&) {});
  };
  constexpr size_t kHeaders = 54;
  EXPECT_EQ(FrameFault::none, fault(kMaxFrameBytes - kHeaders, 0));
  EXPECT_EQ(FrameFault::oversize, fault(kMaxFrameBytes - kHeaders + 1, 0));
  EXPECT_EQ(0u, sender_.batch_->length[0]) << "its bytes are not counted";
  EXPECT_EQ(FrameFault::none, fault(60000, 1000));
  EXPECT_EQ(FrameFault::none, fault(kMaxSegmentBytes - kHeaders, 1000));
  EXPECT_EQ(FrameFault::oversize, fault(kMaxSegmentBytes - kHeaders + 1, 1000));
  EXPECT_EQ(FrameFault::none, fault(60000, kMaxFrameBytes - kHeaders));
  EXPECT_EQ(FrameFault::oversize, fault(60000, kMaxFrameBytes - kHeaders + 1)) << "cut, too long";
  sender_.set_up(256, kModern | feature::bit(0));
  EXPECT_EQ(FrameFault::oversize, fault(60000, 1000)) << "nobody may be that long";
}

TEST_F(OffloadHostile, AnMtuHoldsBothWays) {
  constexpr uint16_t kMtu = 1500;
  sender_.ring_.limit_frames(FrameLimit(kMtu));
  const auto fault = [&](size_t length, bool tagged) {
    OffloadFrame frame = {{}, pattern(length)};
    put16(frame.bytes, 12, tagged ? 0x8100 : 0x0800);
    return fault_of(frame);
  };
  EXPECT_EQ(FrameFault::none, fault(1514, false));
  EXPECT_EQ(FrameFault::oversize, fault(1515, false));
  EXPECT_EQ(FrameFault::none, fault(1518, true));
  EXPECT_EQ(FrameFault::oversize, fault(1519, true));
  const auto segment = [&](uint16_t size) {
    return after({.name = "", .payload = 20000, .segment = size},
                 [](OffloadFrame&, const Parsed&) {});
  };
  EXPECT_EQ(FrameFault::none, segment(1460));
  EXPECT_EQ(FrameFault::oversize, segment(1461));
}

TEST_F(OffloadHostile, AReceiversMtuDropsWhatIsLongerAndNothingElse) {
  for (const uint64_t features : {kMerge | kTakesAll, kModern}) {
    sender_.set_up(256, kSender);
    receiver_.ring_.limit_frames(FrameLimit(uint16_t{1500}));
    receiver_.set_up(256, features);
    for (int i = 0; i < 100; ++i) receiver_.post({receiver_.buffer(3000)});
    std::vector<OffloadFrame> frames;
    for (const size_t length : {60u, 1514u, 1515u, 2000u, 100u}) {
      frames.push_back({{}, pattern(length)});
      put16(frames.back().bytes, 12, 0x0800);
    }
    frames.push_back(make_offload_frame({.name = "", .payload = 4380, .segment = 1460}));
    frames.push_back(make_offload_frame({.name = "", .payload = 4383, .segment = 1461}));
    for (const OffloadFrame& frame : frames) {
      sender_.offer({sender_.piece(sender_.with_header(frame))});
    }
    ASSERT_EQ(frames.size(), sender_.take());
    const Delivery result = deliver();
    EXPECT_EQ(3u, result.oversize);
    EXPECT_EQ(features == kModern ? 6u : 4u, result.delivered);
  }
}

TEST_F(OffloadHostile, ABurstOfLongSegmentsEndsEarly) {
  sender_.set_up(256, kSender);
  const Bytes bytes = sender_.with_header(
      make_offload_frame({.name = "", .options = 12, .payload = 65160, .segment = 1448}));
  const Descriptor where = sender_.piece(bytes);
  for (int i = 0; i < 64; ++i) sender_.offer({where});
  unsigned total = 0;
  for (unsigned turns = 0; total < 64; ++turns) {
    ASSERT_LT(turns, 5u);
    const unsigned taken = sender_.take();
    EXPECT_LE(taken, 17u);
    ASSERT_GT(taken, 0u);
    total += taken;
  }
}

}  // namespace
}  // namespace vhost::test
