// Messages over a socket pair, in whole and in pieces.
#include "vhost/door/message.h"

#include <sys/socket.h>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

class MessageTest : public ::testing::Test {
 protected:
  MessageTest() {
    int ends[2];
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    near_.reset(ends[0]);
    far_.reset(ends[1]);
  }

  void put(const Message& message, std::size_t from, std::size_t to) {
    std::vector<std::byte> bytes(sizeof(Header) + message.header.size);
    std::memcpy(bytes.data(), &message.header, sizeof(Header));
    std::memcpy(bytes.data() + sizeof(Header), message.payload.data(), message.header.size);
    to = std::min(to, bytes.size());
    ASSERT_EQ(static_cast<ssize_t>(to - from),
              ::send(far_.get(), bytes.data() + from, to - from, MSG_NOSIGNAL));
  }

  void send(Message message) {
    MessageWriter writer;
    writer.start(std::move(message));
    ASSERT_EQ(MessageWriter::Status::whole, writer.write(far_.get()));
  }

  UniqueFd near_, far_;
  MessageReader reader_{check_request_header};
};

TEST_F(MessageTest, ComesWholeWithItsDescriptors) {
  Message sent = one_region();
  sent.fds.push_back(make_memfd(4096));
  send(std::move(sent));
  ASSERT_EQ(MessageReader::Status::whole, reader_.read(near_.get()));
  const Message got = reader_.take();
  EXPECT_EQ(Request::set_mem_table, got.request());
  EXPECT_EQ(40u, got.header.size);
  EXPECT_EQ(kUserBase, got.payload_as<RegionTable>().regions[0].user);
  ASSERT_EQ(1u, got.fds.size());
  EXPECT_NE(0, ::fcntl(got.fds[0].get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(MessageReader::Status::nothing, reader_.read(near_.get()));
}

TEST_F(MessageTest, ComesByteByByte) {
  const Message sent = state(Request::set_vring_num, 1, 256);
  for (std::size_t i = 0; i < 20; ++i) {
    put(sent, i, i + 1);
    const auto expected = i < 19 ? MessageReader::Status::partial : MessageReader::Status::whole;
    ASSERT_EQ(expected, reader_.read(near_.get())) << "after byte " << i;
  }
  EXPECT_EQ(256u, reader_.take().payload_as<VringState>().value);
}

TEST_F(MessageTest, WhatFollowsStaysInTheSocket) {
  send(number(Request::set_features, 1));
  send(number(Request::set_features, 2));
  ASSERT_EQ(MessageReader::Status::whole, reader_.read(near_.get()));
  EXPECT_EQ(1u, reader_.take().payload_as<uint64_t>());
  char rest[64];
  EXPECT_EQ(20, ::recv(near_.get(), rest, sizeof(rest), MSG_PEEK | MSG_DONTWAIT));
  ASSERT_EQ(MessageReader::Status::whole, reader_.read(near_.get()));
  EXPECT_EQ(2u, reader_.take().payload_as<uint64_t>());
}

TEST_F(MessageTest, AnOversizedPayloadIsRefusedByItsHeader) {
  const Header header{static_cast<uint32_t>(Request::set_mem_table), kVersion, 0x40000000};
  ASSERT_EQ(12, ::send(far_.get(), &header, sizeof(header), MSG_NOSIGNAL));
  EXPECT_THROW(reader_.read(near_.get()), ProtocolError);
}

TEST_F(MessageTest, MoreDescriptorsThanAMessageMayCarryAreRefusedAndClosed) {
  const UniqueFd eventfd = make_eventfd();
  const std::size_t before = open_descriptors();
  for (const int count : {9, 64, 253}) {
    MessageReader reader(check_request_header);
    const Header header{1, kVersion, 0};
    iovec part{const_cast<Header*>(&header), sizeof(header)};
    std::vector<std::byte> control(CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(count)));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const int fd = eventfd.get();
      std::memcpy(CMSG_DATA(c) + sizeof(int) * static_cast<std::size_t>(i), &fd, sizeof(fd));
    }
    ASSERT_EQ(12, ::sendmsg(far_.get(), &message, MSG_NOSIGNAL));
    EXPECT_THROW(reader.read(near_.get()), ProtocolError) << count;
  }
  EXPECT_EQ(before, open_descriptors());
}

TEST_F(MessageTest, DescriptorsSpreadOverPiecesAreCountedTogether) {
  const UniqueFd eventfd = make_eventfd();
  // A header that announces 100 bytes; the next two messages are read as its payload.
  Message sent = one_region();
  MessageWriter writer;
  sent.header.size = 100;
  put(sent, 0, sizeof(Header));
  ASSERT_EQ(MessageReader::Status::partial, reader_.read(near_.get()));
  for (int i = 0; i < 2; ++i) {
    Message next;
    for (int k = 0; k < 5; ++k) next.fds.emplace_back(::dup(eventfd.get()));
    writer.start(std::move(next));
    ASSERT_EQ(MessageWriter::Status::whole, writer.write(far_.get()));
  }
  EXPECT_THROW(reader_.read(near_.get()), ProtocolError);
}

TEST_F(MessageTest, EndBetweenMessagesIsQuietInsideOneItIsNot) {
  put(number(Request::set_features, 1), 0, 15);
  far_.reset();
  EXPECT_THROW(reader_.read(near_.get()), ProtocolError);
  MessageReader fresh(check_request_header);
  EXPECT_EQ(MessageReader::Status::closed, fresh.read(near_.get()));
}

TEST_F(MessageTest, WritingToOneWhoNeverReadsStopsWithoutBlocking) {
  MessageWriter writer;
  auto status = MessageWriter::Status::whole;
  for (int i = 0; i < 100000 && status == MessageWriter::Status::whole; ++i) {
    writer.start(number(Request::get_features, 1));
    status = writer.write(far_.get());
  }
  EXPECT_EQ(MessageWriter::Status::partial, status);
  near_.reset();
  EXPECT_EQ(MessageWriter::Status::closed, writer.write(far_.get()));
}

}  // namespace
}  // namespace vhost::door::test
