// A VMM says where its VM lives (SEND_RARP): the table follows, and so do other bridges, by the
// rules that hold for the port's frames.
#include "frontend/error.h"
#include "lib/net.h"

namespace testbed {
namespace {

using frontend::Guest;
using frontend::GuestOptions;

constexpr uint64_t kAddress = 0x2301'0077'5452;  // 52:54:77:00:01:23
constexpr const char* kAddressText = "52:54:77:00:01:23";
constexpr auto kSoon = std::chrono::seconds(10);

class Announce : public testing::Test {
 protected:
  std::unique_ptr<Guest> guest_on(const std::string& port) {
    GuestOptions options;
    options.socket = process_.socket(port);
    auto guest = std::make_unique<Guest>(options);
    guest->start();
    guest->receive();
    guest->await_served();
    return guest;
  }
  void add_port(const std::string& name, bool isolated) {
    process_.call("port.add", {{"name", name}, {"isolated", isolated}, {"transient", true}});
  }
  std::string place() {
    const nlohmann::json list = process_.call("mac.list");
    for (const nlohmann::json& mac : list.at("macs")) {
      if (mac.at("address") == kAddressText) return mac.at("port");
    }
    return {};
  }
  void await_place(const std::string& port) {
    const auto deadline = std::chrono::steady_clock::now() + kSoon;
    while (place() != port) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it is on " << place();
    }
  }
  void await_counter(const std::string& port, const std::string& block, const std::string& name,
                     uint64_t value) {
    const auto deadline = std::chrono::steady_clock::now() + kSoon;
    for (;;) {
      const Books books = read_books(process_);
      const uint64_t now =
          block == "learning" ? books.learning(port, name) : books.ingress(port, name);
      if (now == value) return;
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << name << " is " << now;
    }
  }

  SwitchProcess process_{{"--port", "old", "--port", "new", "--port", "far"}};
};

TEST_F(Announce, TheAddressMovesAndTheOtherPortsLearnIt) {
  const auto before = guest_on("old");
  const auto after = guest_on("new");
  const auto far = guest_on("far");
  before->connection().send_rarp(kAddress);
  await_place("old");
  ASSERT_TRUE(far->receive_within(kSoon));
  after->connection().send_rarp(kAddress);
  await_place("new");
  const auto frame = far->receive_within(kSoon);
  ASSERT_TRUE(frame.has_value());
  const std::vector<uint8_t> address = {0x52, 0x54, 0x77, 0x00, 0x01, 0x23};
  std::vector<uint8_t> wanted(6, 0xff);
  wanted.insert(wanted.end(), address.begin(), address.end());
  const std::vector<uint8_t> request = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
  wanted.insert(wanted.end(), request.begin(), request.end());
  wanted.insert(wanted.end(), address.begin(), address.end());
  wanted.insert(wanted.end(), 4, 0);
  wanted.insert(wanted.end(), address.begin(), address.end());
  wanted.resize(60);
  EXPECT_EQ(frame->bytes, wanted);
  EXPECT_TRUE(before->receive_within(kSoon)) << "whoever it left learns it as well";
  await_counter("new", "learning", "moved", 1);
  const Books books = read_books(process_);
  EXPECT_EQ(books.ingress("new", "frames"), 1u);
  EXPECT_EQ(books.ingress("new", "broadcast"), 1u);
}

TEST_F(Announce, BeforeTheDriverIsUp) {
  const auto far = guest_on("far");
  GuestOptions options;
  options.socket = process_.socket("new");
  Guest vmm(options);
  vmm.connect();
  vmm.negotiate();
  vmm.connection().send_rarp(kAddress);
  await_place("new");
  EXPECT_TRUE(far->receive_within(kSoon));
}

TEST_F(Announce, AnIsolatedPortTakesNobodysAddress) {
  add_port("client", true);
  const auto router = guest_on("old");
  const auto client = guest_on("client");
  router->connection().send_rarp(kAddress);
  await_place("old");
  client->connection().send_rarp(kAddress);
  await_counter("client", "ingress", "drop_protected_source", 1);
  EXPECT_EQ(place(), "old");
}

TEST_F(Announce, AStaticAddressStays) {
  process_.call("mac.add", {{"address", kAddressText}, {"port", "far"}});
  const auto claims = guest_on("new");
  claims->connection().send_rarp(kAddress);
  await_counter("new", "ingress", "drop_static_elsewhere", 1);
  EXPECT_EQ(place(), "far");
}

// Sixteen moves a second are followed; more are counted and left alone.
TEST_F(Announce, MovesAreLimited) {
  const auto before = guest_on("old");
  const auto after = guest_on("new");
  for (uint64_t n = 0; n < 40; ++n) before->connection().send_rarp(kAddress + (n << 40));
  await_counter("old", "learning", "learned", 40);
  for (uint64_t n = 0; n < 40; ++n) after->connection().send_rarp(kAddress + (n << 40));
  await_counter("new", "ingress", "frames", 40);
  const Books books = read_books(process_);
  EXPECT_GE(books.learning("new", "moved"), 16u);
  EXPECT_EQ(books.learning("new", "moved") + books.learning("new", "moves_limited"), 40u);
}

TEST_F(Announce, AGroupAddressSendsItsVmmAway) {
  const auto hostile = guest_on("new");
  EXPECT_THROW(hostile->connection().send_rarp(kAddress | 1), frontend::Error);
  EXPECT_THAT(process_.await_state("new", "faulted"),
              testing::HasSubstr("not the address of a station"));
}

}  // namespace
}  // namespace testbed
