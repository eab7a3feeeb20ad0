#include "frontend/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "fake_backend.h"
#include "frontend/error.h"

namespace frontend {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Connection, AsksAndIsAnswered) {
  FakeBackend backend;
  Connection connection = backend.connect();
  EXPECT_EQ(connection.get_queue_num(), 2u);
  EXPECT_EQ(connection.get_vring_base(1), 7u);
  EXPECT_EQ(connection.get_protocol_features(), 9u);
}

TEST(Connection, SendsNeedReplyOnlyWhenAcknowledged) {
  FakeBackend backend;
  {
    Connection connection = backend.connect();
    connection.set_vring_num(0, 256);
    connection.acknowledged(true);
    connection.set_vring_num(1, 128);
  }
  const auto seen = backend.messages();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].flags, kVersion);
  EXPECT_EQ(seen[1].flags, kVersion | kNeedReplyFlag);
  VringState state;
  std::memcpy(&state, seen[1].payload.data(), sizeof(state));
  EXPECT_EQ(state.index, 1u);
  EXPECT_EQ(state.value, 128u);
}

TEST(Connection, PassesDescriptors) {
  FakeBackend backend;
  {
    Connection connection = backend.connect();
    const std::array<MemoryRegion, 2> regions{};
    const std::array<int, 2> fds{0, 1};
    connection.set_mem_table(regions, fds);
    connection.set_vring_kick(3, 0);
    connection.set_vring_call(3, -1);
  }
  const auto seen = backend.messages();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].descriptors, 2u);
  EXPECT_EQ(seen[0].payload.size(), 8u + 2 * sizeof(MemoryRegion));
  EXPECT_EQ(seen[1].descriptors, 1u);
  EXPECT_EQ(seen[2].descriptors, 0u);
  EXPECT_EQ(seen[2].payload[1], std::byte{1});  // "no descriptor"
}

TEST(Connection, ARefusalNamesTheRequest) {
  FakeBackend::Answers answers;
  answers.refused = Request::set_vring_num;
  FakeBackend backend(answers);
  Connection connection = backend.connect();
  connection.acknowledged(true);
  EXPECT_THAT([&] { connection.set_vring_num(0, 7); },
              ThrowsMessage<Error>(HasSubstr("request 8 was refused")));
}

TEST(Connection, SilenceEndsAtTheDeadline) {
  FakeBackend::Answers answers;
  answers.silent = Request::get_features;
  FakeBackend backend(answers);
  Connection connection = backend.connect(std::chrono::milliseconds(20));
  EXPECT_THROW(connection.get_features(), TimedOut);
}

TEST(Connection, HangingUpIsToldApart) {
  FakeBackend::Answers answers;
  answers.closes_at = Request::get_features;
  FakeBackend backend(answers);
  Connection connection = backend.connect();
  EXPECT_THROW(connection.get_features(), Closed);
  EXPECT_TRUE(connection.wait_closed(std::chrono::seconds(10)));
}

TEST(Connection, WaitClosedGivesUp) {
  FakeBackend backend;
  Connection connection = backend.connect();
  EXPECT_FALSE(connection.wait_closed(std::chrono::milliseconds(10)));
}

TEST(Connection, RawBytesGoAsTheyAre) {
  FakeBackend backend;
  {
    Connection connection = backend.connect();
    const MessageHeader odd{999, 0x55, 0};
    connection.send_raw(bytes_of(odd));
  }
  const auto seen = backend.messages();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(static_cast<uint32_t>(seen[0].request), 999u);
  EXPECT_EQ(seen[0].flags, 0x55u);
}

TEST(Connection, ConnectGivesUpWhenNobodyListens) {
  EXPECT_THROW(Connection::connect("/nonexistent/socket", std::chrono::milliseconds(20)), TimedOut);
  EXPECT_THROW(Connection::connect(std::string(200, 'x'), std::chrono::milliseconds(20)), Error);
}

}  // namespace
}  // namespace frontend
