// Every kind of frame from every shape of sender to every receiver: what it negotiated, how its
// buffers lie. Each frame that arrives is read by code that is not the switch's.
#include "ring/offload_fixture.h"

namespace vhost::test {
namespace {

constexpr uint16_t kMss = 1000;
const std::vector<FrameKind> kKinds = {
    {.name = "udp", .tcp = false},
    {.name = "udp odd", .tcp = false, .payload = 101},
    {.name = "udp tagged", .tcp = false, .tags = 1, .payload = 1},
    {.name = "udp6", .ipv6 = true, .tcp = false, .payload = 7},
    {.name = "ack", .payload = 0},
    {.name = "tcp", .options = 12, .payload = 1447},
    {.name = "tcp6", .ipv6 = true, .options = 12, .payload = 999},
    {.name = "tcp two tags", .tags = 2, .payload = 300},
    {.name = "tso4", .options = 12, .payload = 4321, .segment = kMss},
    {.name = "tso4 exact", .payload = 4000, .segment = kMss},
    {.name = "tso4 one", .payload = 900, .segment = kMss},
    {.name = "tso4 none", .payload = 0, .segment = kMss},
    {.name = "tso4 odd size", .payload = 3001, .segment = 777},
    {.name = "tso4 tagged", .tags = 1, .options = 40, .payload = 2500, .segment = kMss},
    {.name = "tso4 fin", .payload = 2500, .segment = kMss, .flags = 0x19},
    {.name = "tso4 ecn", .options = 12, .payload = 2500, .segment = kMss, .ecn = true},
    {.name = "tso4 options",
     .tags = 1,
     .options = 40,
     .extensions = 40,
     .payload = 2500,
     .segment = kMss},
    {.name = "tso6", .ipv6 = true, .options = 12, .payload = 4321, .segment = kMss},
    {.name = "tso6 tagged",
     .ipv6 = true,
     .tags = 1,
     .options = 40,
     .payload = 2999,
     .segment = kMss},
    {.name = "tso6 ecn", .ipv6 = true, .payload = 2999, .segment = kMss, .ecn = true},
    {.name = "tso6 hop by hop",
     .ipv6 = true,
     .options = 12,
     .extensions = 8,
     .payload = 2999,
     .segment = kMss}};

// --- Shapes of senders.

struct SendShape {
  const char* name;
  uint64_t features;
  Links (*build)(OffloadSender& sender, const Bytes& bytes);
};
Links in_parts(OffloadSender& s, const Bytes& bytes, size_t first, size_t step) {
  Links links;
  for (size_t at = 0; at < bytes.size();) {
    const size_t part = std::min(at == 0 ? first : step, bytes.size() - at);
    const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
    links.push_back(s.piece(Bytes(from, from + static_cast<ptrdiff_t>(part))));
    at += part;
  }
  return links;
}
constexpr uint64_t kModernSender =
    kSendsAll | feature::bit(feature::kVersion1) | feature::bit(feature::kRingIndirectDesc);
Links send_one(OffloadSender& s, const Bytes& b) {
  return {s.piece(b)};
}
Links send_header_alone(OffloadSender& s, const Bytes& b) {
  return in_parts(s, b, 12, 70000);
}
Links send_table(OffloadSender& s, const Bytes& b) {
  return {s.table(in_parts(s, b, 90, 1111))};
}
Links send_bits(OffloadSender& s, const Bytes& b) {
  return in_parts(s, b, 5, 37);
}
Links send_legacy(OffloadSender& s, const Bytes& b) {
  return in_parts(s, b, 10, 4096);
}
const std::vector<SendShape> kSendShapes = {{"one", kModernSender, send_one},
                                            {"header alone", kModernSender, send_header_alone},
                                            {"table", kModernSender, send_table},
                                            {"bits", kModernSender, send_bits},
                                            {"legacy", kSendsAll, send_legacy}};

// --- Receivers.

struct ReceiveShape {
  const char* name;
  uint64_t features;
  void (*post)(OffloadReceiver& receiver, size_t bytes);  // room for so many, and headers
};
void post_segments(OffloadReceiver& r, size_t bytes) {
  for (size_t room = 0; room < bytes + 3000; room += 700) r.post({r.buffer(1526)});
}
constexpr uint64_t kModern =
    feature::bit(feature::kVersion1) | feature::bit(feature::kRingIndirectDesc);
constexpr uint64_t kMerge = kModern | feature::bit(feature::kNetMergeableRxBuf);
void post_direct(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 6; ++i) r.post({r.buffer(9000)});
}
void post_chains(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 6; ++i) r.post({r.buffer(12), r.buffer(29), r.buffer(33), r.buffer(9000)});
}
void post_tables(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 6; ++i) r.post({r.buffer(13), r.buffer(53), r.buffer(9000)}, true);
}
void post_bits(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 230; ++i) r.post({r.buffer(51)});
}
void post_legacy(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 6; ++i) r.post({r.buffer(10), r.buffer(9000)});
}
const std::vector<ReceiveShape> kReceiveShapes = {
    {"direct", kModern, post_direct},      {"chains", kModern, post_chains},
    {"tables", kModern, post_tables},      {"mergeable", kMerge, post_segments},
    {"mergeable bits", kMerge, post_bits}, {"legacy", 0, post_legacy}};

// What it takes: bit 0 checksum, 1 TSO4, 2 TSO6, 3 ECN.
uint64_t features_of(unsigned takes) {
  constexpr uint64_t kBits[] = {feature::bit(1), feature::bit(7), feature::bit(8), feature::bit(9)};
  uint64_t features = 0;
  for (unsigned i = 0; i < 4; ++i) features |= (takes >> i & 1) != 0 ? kBits[i] : 0;
  return features;
}
bool takes_checksum(unsigned takes) {
  return (takes & 1) != 0;
}
bool takes_whole(const FrameKind& kind, unsigned takes) {
  if (!takes_checksum(takes)) return false;
  if (kind.segment == 0) return true;
  return (takes & (kind.ipv6 ? 4u : 2u)) != 0 && (!kind.ecn || (takes & 8) != 0);
}

class OffloadMatrix : public OffloadTest {
 protected:
  void run_cell(const FrameKind& kind, const SendShape& from, const ReceiveShape& to,
                unsigned takes) {
    const std::string where = std::string(kind.name) + ", " + from.name + " -> " + to.name +
                              " which takes " + std::to_string(takes);
    SCOPED_TRACE(where);
    const OffloadFrame sent = make_offload_frame(kind);
    sender_.legacy = from.features == kSendsAll;
    sender_.set_up(256, from.features);
    receiver_.set_up(256, to.features | features_of(takes));
    sender_.offer(from.build(sender_, sender_.with_header(sent)));
    ASSERT_EQ(1u, sender_.take());
    ASSERT_EQ(FrameFault::none, sender_.batch_->fault[0]);
    to.post(receiver_, sent.bytes.size());
    const Delivery result = deliver();
    check(kind, sent, result, takes, where);
  }

 private:
  void check(const FrameKind& kind, const OffloadFrame& sent, const Delivery& result,
             unsigned takes, const std::string& where) {
    const std::vector<Arrived> frames = receiver_.arrived();
    ASSERT_EQ(result.attempted, result.delivered) << "there is room for all";
    ASSERT_EQ(result.delivered, frames.size());
    size_t bytes = 0;
    for (const Arrived& frame : frames) {
      expect_checksum(frame, takes_checksum(takes), where);
      bytes += frame.bytes.size();
    }
    EXPECT_EQ(result.bytes, bytes);
    const bool whole = takes_whole(kind, takes);
    const bool cut = kind.segment != 0 && !whole;
    const size_t segments =
        std::max<size_t>(1, cut ? (kind.payload + kind.segment - 1) / kind.segment : 1);
    ASSERT_EQ(segments, frames.size());
    EXPECT_EQ(kind.segment != 0 && whole, result.whole == 1);
    EXPECT_EQ(cut, result.cut == 1);
    EXPECT_EQ(cut ? segments : 0, result.cut_into);
    EXPECT_EQ(takes_checksum(takes) ? 0 : segments, result.completed);
    if (cut) {
      for (size_t i = 0; i < segments; ++i) expect_cut(sent, frames[i], i, segments, where);
      return;
    }
    Bytes expected = sent.bytes;
    Bytes found = frames[0].bytes;
    if (!whole) {
      const size_t field = checksum_field(parse(found));
      put16(expected, field, 0), put16(found, field, 0);
    }
    EXPECT_EQ(expected, found);
    EXPECT_EQ(whole ? sent.header.gso_type : 0, frames[0].header.gso_type);
    EXPECT_EQ(whole ? sent.header.gso_size : 0, frames[0].header.gso_size);
    EXPECT_EQ(whole ? sent.header.header_length : 0, frames[0].header.header_length);
  }
};

TEST_F(OffloadMatrix, EveryFrameFromEverySenderToEveryReceiver) {
  for (const FrameKind& kind : kKinds) {
    for (const SendShape& from : kSendShapes) {
      for (const ReceiveShape& to : kReceiveShapes) {
        for (unsigned takes = 0; takes < 16; ++takes) {
          run_cell(kind, from, to, takes);
          if (HasFailure()) return;
        }
      }
    }
  }
}

// --- The longest there are.

void post_64k(OffloadReceiver& r, size_t) {
  r.post({r.buffer(65562)});
}
void post_64k_in_pages(OffloadReceiver& r, size_t) {
  Links pages = {r.buffer(12), r.buffer(4084)};
  for (int i = 0; i < 16; ++i) pages.push_back(r.buffer(4096));
  r.post(pages, true);
}
void post_64k_merged(OffloadReceiver& r, size_t) {
  for (int i = 0; i < 50; ++i) r.post({r.buffer(1536)});
}

TEST_F(OffloadMatrix, SegmentsOf64KilobytesWhole) {
  const std::vector<ReceiveShape> shapes = {{"one", kModern, post_64k},
                                            {"pages", kModern, post_64k_in_pages},
                                            {"mergeable", kMerge, post_64k_merged}};
  for (const bool ipv6 : {false, true}) {
    // As long as IP can be; the frame then has 65,550 bytes at the most.
    const FrameKind kind = {.name = "64k",
                            .ipv6 = ipv6,
                            .options = 12,
                            .payload = ipv6 ? 65536 - 72u : 65535 - 52u,
                            .segment = 1448};
    for (const ReceiveShape& to : shapes) {
      for (const SendShape& from : kSendShapes) {
        if (from.name == std::string("bits")) continue;  // more links than a chain may have
        run_cell(kind, from, to, 15);
      }
    }
  }
}

TEST_F(OffloadMatrix, SegmentsOf64KilobytesCut) {
  const FrameKind kind = {.name = "64k", .options = 12, .payload = 65160, .segment = 1448};
  for (const unsigned takes : {0u, 1u, 13u}) {
    for (const SendShape& from : kSendShapes) {
      if (from.name == std::string("bits")) continue;
      run_cell(kind, from, {"direct", kModern, post_64k_merged}, takes);
      run_cell(kind, from, {"mergeable", kMerge, post_64k_merged}, takes);
    }
  }
}

TEST_F(OffloadMatrix, LongSegmentsAreCounted) {
  sender_.set_up(256, kModernSender);
  receiver_.set_up(256, kMerge | kTakesAll);
  for (const size_t payload : {61440 - 54u, 61440 - 53u, 1000u}) {
    const FrameKind kind = {.name = "", .payload = payload, .segment = kMss};
    sender_.offer({sender_.piece(sender_.with_header(make_offload_frame(kind)))});
  }
  ASSERT_EQ(3u, sender_.take());
  for (int i = 0; i < 100; ++i) receiver_.post({receiver_.buffer(1536)});
  const Delivery result = deliver();
  EXPECT_EQ(3u, result.whole);
  EXPECT_EQ(1u, result.whole_long) << "longer than 60 KiB";
}

// --- One batch, receivers of both kinds, plain frames among the others.

TEST_F(OffloadMatrix, FloodedToReceiversOfBothKindsEachGetsItsOwnForm) {
  OffloadReceiver plain;
  OffloadReceiver checksum_only;
  sender_.set_up(256, kModernSender);
  receiver_.set_up(256, kMerge | kTakesAll);
  plain.set_up(256, kModern);
  checksum_only.set_up(256, kMerge | kTakesChecksum);
  const FrameKind tso = {.name = "tso", .options = 12, .payload = 2500, .segment = kMss};
  const FrameKind udp = {.name = "udp", .tcp = false};
  std::vector<OffloadFrame> sent;
  for (const FrameKind& kind : {udp, tso, udp, tso}) {
    sent.push_back(make_offload_frame(kind, static_cast<unsigned>(sent.size())));
    OffloadFrame ready = {{}, pattern(300, 77)};  // asks for nothing
    for (const OffloadFrame& frame : {sent.back(), ready}) {
      sender_.offer({sender_.piece(sender_.with_header(frame))});
    }
  }
  ASSERT_EQ(8u, sender_.take());
  for (OffloadReceiver* each : {&receiver_, &plain, &checksum_only}) {
    for (int i = 0; i < 40; ++i) each->post({each->buffer(1536)});
  }
  EXPECT_EQ(8u, deliver_to(receiver_).delivered);
  EXPECT_EQ(12u, deliver_to(plain).delivered);
  EXPECT_EQ(12u, deliver_to(checksum_only).delivered);

  const auto whole = receiver_.arrived();
  ASSERT_EQ(8u, whole.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(sent[i].bytes, whole[2 * i].bytes);
    EXPECT_EQ(pattern(300, 77), whole[2 * i + 1].bytes);
    EXPECT_EQ(0, whole[2 * i + 1].header.flags);
    EXPECT_EQ(sent[i].header.gso_type, whole[2 * i].header.gso_type);
  }
  for (OffloadReceiver* each : {&plain, &checksum_only}) {
    const auto frames = each->arrived();
    ASSERT_EQ(12u, frames.size());
    for (const size_t i : {0u, 2u, 3u, 4u, 6u, 8u, 9u, 10u}) {
      expect_checksum(frames[i], each == &checksum_only, std::to_string(i));
    }
    for (const size_t i : {1u, 5u, 7u, 11u}) EXPECT_EQ(pattern(300, 77), frames[i].bytes);
    for (size_t i = 0; i < 3; ++i) expect_cut(sent[1], frames[2 + i], i, 3, "first");
    for (size_t i = 0; i < 3; ++i) expect_cut(sent[3], frames[8 + i], i, 3, "second");
  }
}

// --- Receivers that are short of room.

TEST_F(OffloadMatrix, ASegmentIsCutAsFarAsThereAreBuffers) {
  sender_.set_up(256, kModernSender);
  receiver_.set_up(256, kModern);
  const OffloadFrame sent = make_offload_frame({.name = "", .payload = 5000, .segment = kMss});
  for (int i = 0; i < 2; ++i) sender_.offer({sender_.piece(sender_.with_header(sent))});
  ASSERT_EQ(2u, sender_.take());
  for (int i = 0; i < 3; ++i) receiver_.post({receiver_.buffer(1526)});
  const Delivery result = deliver();
  EXPECT_EQ(10u, result.attempted);
  EXPECT_EQ(3u, result.delivered);
  EXPECT_EQ(7u, result.no_buffer);
  EXPECT_EQ(1u, result.cut);
  EXPECT_EQ(3u, result.cut_into);
  const auto frames = receiver_.arrived();
  ASSERT_EQ(3u, frames.size());
  for (size_t i = 0; i < 3; ++i) expect_cut(sent, frames[i], i, 5, "");
}

TEST_F(OffloadMatrix, BuffersTooSmallForTheFramesOfASegment) {
  sender_.set_up(256, kModernSender);
  receiver_.set_up(256, kModern);
  const OffloadFrame sent = make_offload_frame({.name = "", .payload = 5000, .segment = kMss});
  sender_.offer({sender_.piece(sender_.with_header(sent))});
  ASSERT_EQ(1u, sender_.take());
  for (int i = 0; i < 9; ++i) receiver_.post({receiver_.buffer(500)});
  const Delivery result = deliver();
  EXPECT_EQ(5u, result.attempted);
  EXPECT_EQ(5u, result.too_small);
  EXPECT_EQ(0u, result.cut);
}

TEST_F(OffloadMatrix, NoGuestIsOneDropForASegment) {
  sender_.set_up(256, kModernSender);
  receiver_.set_up(256, kModern);
  receiver_.ring_.set_running(false);
  sender_.offer({sender_.piece(
      sender_.with_header(make_offload_frame({.name = "", .payload = 5000, .segment = kMss})))});
  ASSERT_EQ(1u, sender_.take());
  const Delivery result = deliver();
  EXPECT_EQ(1u, result.attempted);
  EXPECT_EQ(1u, result.no_guest);
}

// A ring of the longest kind, and more frames than classes can be counted of at once.
TEST_F(OffloadMatrix, SmallestSegmentsFillARingAndNoMore) {
  sender_.set_up(256, kModernSender);
  receiver_.set_up(1024, kModern);
  sender_.offer({sender_.piece(
      sender_.with_header(make_offload_frame({.name = "", .payload = 60000, .segment = 1})))});
  ASSERT_EQ(1u, sender_.take());
  for (int i = 0; i < 1024; ++i) receiver_.post({receiver_.buffer(128)});
  const Delivery result = deliver();
  EXPECT_EQ(60000u, result.attempted);
  EXPECT_EQ(1023u, result.delivered);
  EXPECT_EQ(58977u, result.no_buffer);
}

}  // namespace
}  // namespace vhost::test
