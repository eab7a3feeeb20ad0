// The relay: what reaches the back-end, what comes back, and what the history tells of it.
#include "relay_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(RelayTest, AnswersTheOfferItselfAndTheLibraryIsNotAsked) {
  const Message answer = ask(*vmm_, message(Request::get_features));
  EXPECT_EQ(uint32_t{kVersion | kReply}, answer.header.flags);
  EXPECT_EQ(8u, answer.header.size);
  EXPECT_EQ(settings_.features, answer.payload_as<uint64_t>());
  EXPECT_EQ(settings_.protocol_features,
            ask(*vmm_, message(Request::get_protocol_features)).payload_as<uint64_t>());
  EXPECT_EQ(2u, ask(*vmm_, message(Request::get_queue_num)).payload_as<uint64_t>());
  EXPECT_TRUE(library_->received.empty());
}

TEST_F(RelayTest, AsksForAnAckAndKeepsItWhenTheVmmDidNot) {
  vmm_->send(number(Request::set_features, 0));
  ASSERT_TRUE(wait_for([&] { return library_->received.size() == 1; }));
  EXPECT_EQ(uint32_t{kVersion | kNeedReply}, library_->received[0].header.flags);
  ask(*vmm_, message(Request::get_features));
  EXPECT_FALSE(vmm_->answer().has_value()) << "the ack stays with the door";
}

TEST_F(RelayTest, PassesTheAckOnToWhoeverAskedForIt) {
  Message sent = number(Request::set_features, 0);
  sent.header.flags |= kNeedReply;
  const Message ack = ask(*vmm_, std::move(sent));
  EXPECT_EQ(Request::set_features, ack.request());
  EXPECT_EQ(0u, ack.payload_as<uint64_t>());
}

TEST_F(RelayTest, AFailureGoesToTheVmmThatAskedAndItMayGoOn) {
  library_->fails = true;
  Message sent = number(Request::set_features, 0);
  sent.header.flags |= kNeedReply;
  EXPECT_EQ(1u, ask(*vmm_, std::move(sent)).payload_as<uint64_t>());
  EXPECT_EQ(settings_.features, ask(*vmm_, message(Request::get_features)).payload_as<uint64_t>());
}

TEST_F(RelayTest, AFailureNobodyAskedForEndsTheConnection) {
  library_->fails = true;
  vmm_->send(number(Request::set_features, 0));
  EXPECT_EQ("the vhost library could not carry out SET_FEATURES", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(true));
  EXPECT_TRUE(wait_for([&] { return vmm_->sent_away(); }));
}

TEST_F(RelayTest, OneMessageIsInFlight) {
  library_->silent = true;
  vmm_->send(number(Request::set_features, 0));
  vmm_->send(number(Request::set_features, uint64_t{1} << 32));
  ASSERT_TRUE(wait_for([&] { return !library_->received.empty(); }));
  for (int i = 0; i < 20; ++i) settle();
  ASSERT_EQ(1u, library_->received.size()) << "the second one waits for the first one's answer";
  library_->silent = false;
  library_->send(number(Request::set_features, 0));  // not a reply by its flags
  EXPECT_THAT(await_disconnection(), HasSubstr("malformed answer"));
}

TEST_F(RelayTest, PipelinedMessagesArriveInTheirOrder) {
  for (uint64_t i = 0; i < 50; ++i) vmm_->send(state(Request::set_vring_enable, i % 2, 1));
  vmm_->send(message(Request::get_queue_num));
  EXPECT_EQ(2u, await_answer(*vmm_).payload_as<uint64_t>());
  ASSERT_EQ(50u, library_->received.size());
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(i % 2, library_->received[i].payload_as<VringState>().index);
  }
}

TEST_F(RelayTest, DescriptorsTravelWithTheirMessage) {
  set_memory();
  ASSERT_EQ(1u, library_->received.back().fds.size());
  EXPECT_EQ(FdFacts::Kind::memory, inspect_fd(library_->received.back().fds[0].get()).kind);
  must(number(Request::set_vring_call, 1), make_eventfd().get());
  ASSERT_EQ(1u, library_->received.back().fds.size());
  EXPECT_EQ(FdFacts::Kind::eventfd, inspect_fd(library_->received.back().fds[0].get()).kind);
}

TEST_F(RelayTest, GetVringBaseHasAnAnswerOfItsOwn) {
  Message sent = state(Request::get_vring_base, 1, 0);
  sent.header.flags |= kNeedReply;
  const auto answer = ask(*vmm_, std::move(sent)).payload_as<VringState>();
  EXPECT_EQ(1u, answer.index);
  EXPECT_EQ(42u, answer.value);
  EXPECT_EQ(uint32_t{kVersion}, library_->received[0].header.flags) << "no ack is asked for";
}

TEST_F(RelayTest, SetLogBaseIsAnsweredAsTheVmmLikesIt) {
  set_memory();
  const UniqueFd log = make_memfd(512);
  Message sent = message(Request::set_log_base, LogArea{512, 0});
  sent.fds.emplace_back(::dup(log.get()));
  EXPECT_EQ(0u, ask(*vmm_, std::move(sent)).header.size);
  sent = message(Request::set_log_base, LogArea{512, 0}, kVersion | kNeedReply);
  sent.fds.emplace_back(::dup(log.get()));
  EXPECT_EQ(8u, ask(*vmm_, std::move(sent)).header.size);
}

TEST_F(RelayTest, AWholeVirtualMachineSetsItsRingsUp) {
  must(number(Request::set_features, settings_.features & ~kFeatureLogAll));
  set_memory();
  for (const uint32_t ring : {0u, 1u}) {
    must(state(Request::set_vring_num, ring, 256));
    must(state(Request::set_vring_base, ring, 0));
    must(message(Request::set_vring_addr, ring_areas(ring)));
    must(number(Request::set_vring_kick, ring), make_eventfd().get());
    must(number(Request::set_vring_call, ring), make_eventfd().get());
    must(state(Request::set_vring_enable, ring, 1));
  }
  EXPECT_EQ(14u, library_->received.size());
  vmm_->send(state(Request::set_vring_num, 0, 512));
  EXPECT_EQ("SET_VRING_NUM 512 for ring 0, which is running", await_disconnection());
  EXPECT_EQ(14u, library_->received.size());
}

// --- The library's side goes wrong.

TEST_F(RelayTest, TheLibraryHangsUpAtAMessage) {
  library_->hangs_up = true;
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_EQ("the vhost library closed the connection at GET_VRING_BASE", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(true));
}

TEST_F(RelayTest, TheLibraryHangsUpBetweenMessages) {
  library_->close();
  EXPECT_EQ("the vhost library closed the connection", await_disconnection());
  EXPECT_THAT(faults_, ElementsAre(false));
}

TEST_F(RelayTest, AnAnswerToAnotherMessageMakesNoSense) {
  library_->odd_answer = message(Request::set_owner, uint64_t{0}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, AnAnswerForAnotherRingMakesNoSense) {
  library_->odd_answer = message(Request::get_vring_base, VringState{1, 7}, kVersion | kReply);
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, ARingIndexBeyondSixteenBitsMakesNoSense) {
  library_->ring_base = 0x10000;
  vmm_->send(state(Request::get_vring_base, 0, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, WhatTheLibraryCouldNotDoIsNotTakenForDone) {
  set_memory();
  must(state(Request::set_vring_num, 0, 256));
  library_->fails = true;
  Message sent = one_region();
  sent.header.flags |= kNeedReply;
  sent.fds.push_back(make_memfd(16 * kMiB));
  EXPECT_EQ(1u, ask(*vmm_, std::move(sent)).payload_as<uint64_t>());
  vmm_->send(message(Request::set_vring_addr, ring_areas(0)));
  EXPECT_THAT(await_disconnection(), HasSubstr("before a memory table"));
}

TEST_F(RelayTest, AnAnswerOfTheWrongLengthMakesNoSense) {
  library_->odd_answer = message(Request::set_features, uint32_t{0}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("makes no sense"));
}

TEST_F(RelayTest, AnOverlongAnswerIsNotRead) {
  library_->odd_answer =
      message(Request::set_features, std::array<uint64_t, 4>{}, kVersion | kReply);
  vmm_->send(number(Request::set_features, 0));
  EXPECT_THAT(await_disconnection(), HasSubstr("malformed answer"));
}

TEST_F(RelayTest, TheLibrarySpeaksUnasked) {
  library_->send(message(Request::set_features, uint64_t{0}, kVersion | kReply));
  EXPECT_THAT(await_disconnection(), HasSubstr("unasked"));
}

// --- The history.

TEST_F(RelayTest, TheHistoryTellsWhatHappened) {
  must(number(Request::set_features, 0));
  set_memory();
  ask(*vmm_, state(Request::get_vring_base, 1, 0));
  ask(*vmm_, message(Request::get_queue_num));
  vmm_->send(state(Request::set_vring_num, 0, 4096));
  await_disconnection();
  std::vector<std::string> lines;
  for (const MessageRecord& line : door_->history())
    lines.push_back(line.name + " " + line.summary);
  ASSERT_EQ(7u, lines.size());
  EXPECT_THAT(lines[0], HasSubstr("connected pid " + std::to_string(::getpid())));
  EXPECT_EQ("VHOST_USER_SET_FEATURES 0x0 ok", lines[1]);
  EXPECT_EQ("VHOST_USER_SET_MEM_TABLE 1 region, 16 MiB ok", lines[2]);
  EXPECT_EQ("VHOST_USER_GET_VRING_BASE ring 1 = 42", lines[3]);
  EXPECT_EQ("VHOST_USER_GET_QUEUE_NUM = 0x2", lines[4]);
  EXPECT_EQ("VHOST_USER_SET_VRING_NUM ring 0: 4096", lines[5]);
  EXPECT_EQ("disconnected SET_VRING_NUM 4096 for ring 0: at most 1024", lines[6]);
}

TEST_F(RelayTest, TheHistoryKeepsTheLast64Lines) {
  for (uint32_t i = 0; i < 100; ++i) {
    must(state(Request::set_vring_base, 0, i));
  }
  const auto lines = door_->history();
  ASSERT_EQ(64u, lines.size());
  EXPECT_EQ("ring 0: 36 ok", lines.front().summary);
  EXPECT_EQ("ring 0: 99 ok", lines.back().summary);
}

}  // namespace
}  // namespace vhost::door::test
