// The handshake as a back-end sees it.
#include "frontend/guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "fake_backend.h"
#include "frontend/error.h"

namespace frontend {
namespace {

class GuestTest : public testing::TestWithParam<MessageOrder> {
 protected:
  GuestTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "frontend-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~GuestTest() override { std::filesystem::remove_all(directory_); }

  // start() against the fake, whose end of the socketpair is spliced to the guest's socket: the
  // guest listens and a thread connects and copies.
  std::vector<Seen> handshake(FakeBackend::Answers answers, GuestOptions options) {
    FakeBackend backend(answers);
    options.socket = (directory_ / "guest.sock").string();
    options.listen = true;
    options.order = GetParam();
    options.memory.regions = {1u << 20, 1u << 20};
    options.max_frame = 100;
    std::thread relay([&] { relay_to(backend, options.socket); });
    try {
      Guest guest(options);
      guest.start();
      features_ = guest.features();
      kicks_ = guest.receive_ring().kicks() + guest.transmit_ring().kicks();
      bases_ = guest.stop();
    } catch (...) {
      relay.join();
      throw;
    }
    relay.join();
    return backend.messages();
  }

  static void relay_to(FakeBackend& backend, const std::string& path);

  static std::ptrdiff_t position(const std::vector<Seen>& seen, Request request) {
    const auto found = std::find_if(seen.begin(), seen.end(),
                                    [&](const Seen& one) { return one.request == request; });
    return found - seen.begin();
  }

  std::filesystem::path directory_;
  uint64_t features_ = 0;
  uint64_t kicks_ = 0;
  std::vector<uint32_t> bases_;
};

// One message, with its descriptors, from one socket to the other. False: the sender is gone.
bool pass_on(int from, int to) {
  std::array<char, 4096> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(32 * sizeof(int))> control{};
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(from, &message, 0);
  if (got <= 0) return false;
  part.iov_len = static_cast<std::size_t>(got);
  const bool sent = sendmsg(to, &message, MSG_NOSIGNAL) == got;
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&message)) {
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= rights->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, reinterpret_cast<const char*>(rights) + at, sizeof(fd));
      close(fd);
    }
  }
  return sent;
}

void GuestTest::relay_to(FakeBackend& backend, const std::string& path) {
  const Connection outer = Connection::connect(path);
  const Connection inner = backend.connect();
  std::thread answers([&] {
    while (pass_on(inner.descriptor(), outer.descriptor())) {
    }
    shutdown(outer.descriptor(), SHUT_RDWR);
  });
  while (pass_on(outer.descriptor(), inner.descriptor())) {
  }
  shutdown(inner.descriptor(), SHUT_RDWR);
  answers.join();
}

TEST_P(GuestTest, SendsEverythingInOrder) {
  const auto seen = handshake({}, {});
  const auto at = [&](Request request) { return position(seen, request); };
  EXPECT_LT(at(Request::get_features), at(Request::set_features));
  EXPECT_LT(at(Request::set_features), at(Request::set_mem_table));
  EXPECT_LT(at(Request::set_mem_table), at(Request::set_vring_addr));
  EXPECT_LT(at(Request::set_vring_num), at(Request::set_vring_addr));
  EXPECT_LT(at(Request::set_vring_addr), at(Request::set_vring_kick));
  EXPECT_LT(at(Request::set_vring_kick), at(Request::get_vring_base));
  const bool qemu = GetParam() == MessageOrder::qemu;
  EXPECT_EQ(at(Request::set_vring_call) < at(Request::set_features), qemu);
  EXPECT_EQ(at(Request::set_vring_enable) < at(Request::set_features), qemu);
  EXPECT_EQ(at(Request::set_vring_err) < static_cast<std::ptrdiff_t>(seen.size()), qemu);
  EXPECT_EQ(seen[static_cast<std::size_t>(at(Request::set_mem_table))].descriptors, 2u);
  EXPECT_EQ(kicks_, 2u);
  EXPECT_EQ(bases_, (std::vector<uint32_t>{7, 7}));
}

TEST_P(GuestTest, AcknowledgesOnlyWhatIsOfferedAndWanted) {
  FakeBackend::Answers answers;
  answers.features = feature::kVersion1 | feature::kCsum | feature::kProtocolFeatures;
  handshake(answers, {});
  EXPECT_EQ(features_, feature::kVersion1 | feature::kProtocolFeatures);
}

TEST_P(GuestTest, MissingRequiredFeatureIsAnError) {
  FakeBackend::Answers answers;
  answers.features = feature::kVersion1;
  GuestOptions options;
  options.required_features = feature::kEventIndex;
  EXPECT_THROW(handshake(answers, options), Error);
}

TEST_P(GuestTest, AnswersAreAskedForOnlyWhenAgreed) {
  GuestOptions options;
  options.reply_ack = false;
  for (const Seen& one : handshake({}, options)) EXPECT_EQ(one.flags & kNeedReplyFlag, 0u);
  const auto seen = handshake({}, {});
  EXPECT_NE(
      seen[static_cast<std::size_t>(position(seen, Request::set_mem_table))].flags & kNeedReplyFlag,
      0u);
}

TEST_P(GuestTest, RefusedMessageStopsTheStart) {
  FakeBackend::Answers answers;
  answers.refused = Request::set_mem_table;
  EXPECT_THROW(handshake(answers, {}), Error);
}

INSTANTIATE_TEST_SUITE_P(Orders, GuestTest,
                         testing::Values(MessageOrder::cloud_hypervisor, MessageOrder::qemu));

}  // namespace
}  // namespace frontend
