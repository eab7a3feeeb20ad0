// Offloads and MTU through the whole switch: what is offered, who gets what, and the counters.
// (What each frame must look like: tests/unit/ring/offload_matrix_test.cc.)
#include <bit>
#include <fstream>

#include "lib/net.h"
#include "ring/offload_frames.h"

namespace testbed {
namespace {

namespace feature = frontend::feature;
using frontend::Guest;
using frontend::GuestOptions;

constexpr uint64_t kBase = feature::kVersion1 | feature::kProtocolFeatures;
constexpr uint64_t kSendsAll =
    feature::kCsum | feature::kHostTso4 | feature::kHostTso6 | feature::kHostEcn;
constexpr uint64_t kTakesAll =
    feature::kGuestCsum | feature::kGuestTso4 | feature::kGuestTso6 | feature::kGuestEcn;
constexpr auto kSoon = std::chrono::seconds(10);

std::unique_ptr<Guest> guest_on(const SwitchProcess& process, const std::string& port,
                                uint64_t features, uint32_t buffer) {
  GuestOptions options;
  options.socket = process.socket(port);
  options.features = options.required_features = kBase | features;
  options.max_frame = 65600;
  options.transmit_size = 16;
  options.receive_buffers = {buffer};
  auto guest = std::make_unique<Guest>(options);
  guest->start();
  guest->receive();
  guest->await_served();
  return guest;
}

void send(Guest& guest, const vhost::test::OffloadFrame& frame) {
  const auto header = std::bit_cast<frontend::NetHeader>(frame.header);
  guest.transmit().reclaim();
  ASSERT_TRUE(guest.transmit().send(frame.bytes, {}, header));
  guest.transmit().publish();
}

vhost::test::OffloadFrame broadcast(const vhost::test::FrameKind& kind) {
  auto frame = vhost::test::make_offload_frame(kind);
  std::fill_n(frame.bytes.begin(), 6, uint8_t{0xff});
  return frame;
}

// A frame that comes last on every port.
void expect_last(Guest& from, const std::vector<Guest*>& others) {
  vhost::test::OffloadFrame last = {{}, std::vector<uint8_t>(60, 0xff)};
  std::fill_n(last.bytes.begin() + 6, 6, uint8_t{2});
  send(from, last);
  for (Guest* each : others) {
    for (;;) {
      const auto frame = each->receive_within(kSoon);
      ASSERT_TRUE(frame.has_value());
      if (frame->bytes.size() == 60) break;
    }
  }
}

// Once offered to a guest these must be offered for as long as it lives, restarts of the switch
// included; more may come, none may go.
TEST(Offered, FeaturesArePinned) {
  SwitchProcess process({"--port", "a", "--port", "b", "--config", [] {
                           static control::testing::TemporaryDirectory directory;
                           const auto file = directory.path() / "mtu.toml";
                           std::ofstream(file) << "[[port]]\nname = 'm'\nmtu = 9000\n";
                           return file.string();
                         }()});
  constexpr uint64_t kPlain = 0x0009'7c42'bb83;
  constexpr uint64_t kMtuBit = 1u << 3;
  const auto offered = [&](const std::string& port) {
    GuestOptions options;
    options.socket = process.socket(port);
    Guest guest(options);
    guest.connect();
    return guest.connection().get_features();
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(offered("a"), kPlain);
    EXPECT_EQ(offered("m"), kPlain | kMtuBit);
    EXPECT_EQ(process.stop(), 0);
    process.start();
  }
}

class Offloads : public testing::Test {
 protected:
  Offloads() {
    sender_ = guest_on(process_, "p0", kSendsAll, 2048);
    whole_ = guest_on(process_, "p1", kTakesAll | feature::kMergeable, 2048);
    plain_ = guest_on(process_, "p2", 0, 2048);
    checksum_ = guest_on(process_, "p3", feature::kGuestCsum | feature::kMergeable, 500);
  }
  // Sums are exact once what was counted is steady.
  Books books() {
    expect_last(*sender_, {whole_.get(), plain_.get(), checksum_.get()});
    const auto exact = [](const Books& books, const std::string& port) {
      return books.egress(port, "attempted") ==
             books.egress(port, "frames") + books.dropped(port, "egress");
    };
    const auto deadline = std::chrono::steady_clock::now() + kSoon;
    for (;;) {
      Books books = read_books(process_);
      const uint64_t sent = books.ingress("p0", "frames");
      const bool all = books.egress("p1", "attempted") == sent - books.dropped("p0", "ingress");
      if (all && exact(books, "p1") && exact(books, "p2") && exact(books, "p3")) return books;
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "the sums are not exact";
        return books;
      }
    }
  }

  SwitchProcess process_{port_arguments(4)};
  std::unique_ptr<Guest> sender_, whole_, plain_, checksum_;
};

TEST_F(Offloads, EachReceiverGetsItsOwnFormAndItsOwnCounters) {
  const auto long_one = broadcast({.name = "", .options = 12, .payload = 65160, .segment = 1448});
  const auto short_one = broadcast({.name = "", .ipv6 = true, .payload = 3000, .segment = 1000});
  const auto udp = broadcast({.name = "", .tcp = false});
  send(*sender_, long_one);
  send(*sender_, short_one);
  send(*sender_, udp);
  const auto found = whole_->receive_within(kSoon);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bytes, long_one.bytes);
  EXPECT_EQ(found->header.gso_type, 1);
  EXPECT_EQ(found->header.gso_size, 1448);
  const auto first = plain_->receive_within(kSoon);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes.size(), 14u + 20 + 32 + 1448);
  EXPECT_TRUE(vhost::test::checksum_complete(first->bytes, vhost::test::parse(first->bytes)));
  const Books now = books();
  EXPECT_EQ(now.egress("p1", "tso_whole"), 2u);
  EXPECT_EQ(now.egress("p1", "tso_whole_60k"), 1u);
  EXPECT_EQ(now.egress("p1", "tso_cut"), 0u);
  EXPECT_EQ(now.egress("p1", "checksums_completed"), 0u);
  for (const char* port : {"p2", "p3"}) {
    EXPECT_EQ(now.egress(port, "tso_whole"), 0u);
    EXPECT_EQ(now.egress(port, "tso_cut"), 2u);
    EXPECT_EQ(now.egress(port, "tso_segments"), 48u);
    EXPECT_EQ(now.egress(port, "attempted"), 50u);
    EXPECT_EQ(now.egress(port, "broadcast"), 50u);
  }
  EXPECT_EQ(now.egress("p2", "checksums_completed"), 49u);
  EXPECT_EQ(now.egress("p3", "checksums_completed"), 0u) << "this one completes them itself";
}

TEST_F(Offloads, ALyingHeaderIsDroppedByName) {
  auto lie = broadcast({.name = "", .payload = 3000, .segment = 1000});
  lie.header.gso_size = 0;
  send(*sender_, lie);
  lie = broadcast({.name = ""});
  lie.header.checksum_start = 0xffff;
  send(*sender_, lie);
  send(*whole_, broadcast({.name = ""}));  // this one did not negotiate it
  const Books now = books();
  EXPECT_EQ(now.ingress("p0", "drop_bad_offload"), 2u);
  EXPECT_EQ(now.dropped("p0", "ingress"), 2u);
  const auto deadline = std::chrono::steady_clock::now() + kSoon;
  while (read_books(process_).ingress("p1", "drop_header") != 1) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  EXPECT_EQ(now.egress("p2", "frames"), 1u) << "the last alone";
}

}  // namespace
}  // namespace testbed
