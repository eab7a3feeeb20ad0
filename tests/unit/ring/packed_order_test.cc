// When a driver sees what was returned: a driver that polls finds all of a frame's buffers, and of
// a burst all or nothing. The second page of the ring cannot be written at first; when the switch
// does so nevertheless, the driver, on the first page, must have nothing yet.
#include <sys/mman.h>

#include <csignal>
#include <optional>

#include "ring/receive_fixture.h"
#include "ring/transmit_fixture.h"

namespace vhost::test {
namespace {

constexpr size_t kPage = 4096;
constexpr uint16_t kSize = 1024;
constexpr uint16_t kPerPage = kPage / sizeof(PackedDescriptor);
constexpr uint16_t kStart = kPerPage - 4;  // the fifth descriptor lies on the second page

// Catches the first store into a page.
class FirstStore {
 public:
  FirstStore(uint8_t* page, const uint16_t& flags) : before_(flags) {
    page_ = page;
    flags_ = &flags;
    seen_.reset();
    struct sigaction action = {};
    action.sa_handler = note;
    sigaction(SIGSEGV, &action, &former_);
    mprotect(page_, kPage, PROT_READ);
  }
  ~FirstStore() { sigaction(SIGSEGV, &former_, nullptr); }
  FirstStore(const FirstStore&) = delete;
  FirstStore& operator=(const FirstStore&) = delete;

  void expect_nothing_before() const {
    ASSERT_TRUE(seen_.has_value()) << "nothing was stored: the test shows nothing";
    EXPECT_EQ(before_, *seen_) << "the driver had the beginning already";
  }

 private:
  static void note(int /*signal*/) {
    seen_ = *flags_;
    mprotect(page_, kPage, PROT_READ | PROT_WRITE);
  }

  static inline uint8_t* page_ = nullptr;
  static inline const uint16_t* flags_ = nullptr;
  static inline std::optional<uint16_t> seen_;
  uint16_t before_;
  struct sigaction former_ = {};
};

// What it returns from kStart on, over the end of the page.
template <typename Action>
void expect_at_once(PackedDriver& driver, Action action) {
  auto* second = reinterpret_cast<uint8_t*>(&driver.raw(kPerPage));
  const FirstStore store(second, driver.raw(kStart).flags);
  action();
  store.expect_nothing_before();
}

class PackedOrderReceive : public ReceiveTest {};

TEST_F(PackedOrderReceive, AllBuffersOfAFrame) {
  set_up(kSize, kMergeable, kStart);
  offer_buffers(20, 100);
  frame(1000);
  expect_at_once(*driver_, [this] { EXPECT_EQ(1u, deliver().delivered); });
  EXPECT_EQ(kStart + 11, driver_->used_index());
}

TEST_F(PackedOrderReceive, AllFramesOfAList) {
  set_up(kSize, kMergeable, kStart);
  offer_buffers(20);
  for (int i = 0; i < 20; ++i) frame(60);
  expect_at_once(*driver_, [this] { EXPECT_EQ(20u, deliver().delivered); });
  EXPECT_EQ(kStart + 20, driver_->used_index());
}

class PackedOrderTransmit : public TransmitTest {};

TEST_F(PackedOrderTransmit, AllFramesOfABurst) {
  set_up(kSize, kModern, kStart);
  for (int i = 0; i < 20; ++i) offer({piece(joined({header(), pattern(60)}))});
  ASSERT_EQ(20u, take());
  expect_at_once(*driver_, [this] { ring_.give_back(*batch_, 0, 20); });
  EXPECT_EQ(kStart + 20, driver_->used_index());
}

}  // namespace
}  // namespace vhost::test
