// The door's state machine, message by message: what is in place, what is not, and why.
#include "vhost/door/protocol_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages.h"
#include "vhost/door/message_rules.h"

namespace vhost::door::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kVersion1 = uint64_t{1} << 32;
constexpr uint64_t kOffered = kVersion1 | kFeatureProtocolFeatures | kFeatureEventIdx;
constexpr uint64_t kProtocol = kProtocolMultiqueue | kProtocolReplyAck;

class ProtocolStateTest : public ::testing::Test {
 protected:
  // Sends a message as the relay does; the reason when it is refused, else "".
  std::string send(const Message& sent, std::vector<FdFacts> fds = {}, bool success = true) {
    try {
      check_request_header(sent.header);
      state_.check(sent, fds);
    } catch (const ProtocolError& error) {
      return error.what();
    }
    if (find_rule(sent.header.request)->answer != Answer::door) state_.commit(sent, success);
    return {};
  }

  std::string address(uint32_t ring) {
    return send(message(Request::set_vring_addr, ring_areas(ring)));
  }
  std::string memory() { return send(one_region(), {memory_file(16 * kMiB)}); }
  std::string num(uint32_t ring, uint32_t size) {
    return send(state(Request::set_vring_num, ring, size));
  }
  std::string base(uint32_t ring, uint32_t value) {
    return send(state(Request::set_vring_base, ring, value));
  }
  std::string enable(uint32_t ring, uint32_t on) {
    return send(state(Request::set_vring_enable, ring, on));
  }
  std::string stop(uint32_t ring) { return send(state(Request::get_vring_base, ring, 0)); }
  std::string file(Request request, uint32_t ring) {
    return send(number(request, ring), {kEventfd});
  }
  std::string kick(uint32_t ring) { return file(Request::set_vring_kick, ring); }
  std::string call(uint32_t ring) { return file(Request::set_vring_call, ring); }
  std::string features(uint64_t bits) { return send(number(Request::set_features, bits)); }

  // Rings 0 and 1 running.
  void run(uint64_t negotiated = kOffered) {
    ASSERT_EQ("", features(negotiated));
    ASSERT_EQ("", memory());
    for (const uint32_t ring : {0u, 1u}) {
      ASSERT_EQ("", num(ring, 256));
      ASSERT_EQ("", address(ring));
      ASSERT_EQ("", base(ring, 0));
      ASSERT_EQ("", call(ring));
      ASSERT_EQ("", kick(ring));
      ASSERT_EQ("", enable(ring, 1));
    }
  }

  ProtocolOffer offer_{kOffered, kProtocol, 1};
  ProtocolState state_{offer_};
};

// --- What the door answers itself.

TEST_F(ProtocolStateTest, AnswersWhatTheSettingsOffer) {
  EXPECT_EQ(kOffered, state_.answer(Request::get_features));
  EXPECT_EQ(kProtocol, state_.answer(Request::get_protocol_features));
  EXPECT_EQ(2u, state_.answer(Request::get_queue_num));
  EXPECT_EQ(8u, ProtocolState({kOffered, kProtocol, 4}).answer(Request::get_queue_num));
}

// --- Orders in which VMMs are known to speak.

TEST_F(ProtocolStateTest, OrderOfQemu) {
  EXPECT_EQ("", send(message(Request::get_features)));
  EXPECT_EQ("", send(message(Request::get_protocol_features)));
  EXPECT_EQ("", send(number(Request::set_protocol_features, kProtocol)));
  EXPECT_EQ("", send(message(Request::get_queue_num)));
  EXPECT_EQ("", send(message(Request::set_owner)));
  EXPECT_EQ("", send(message(Request::get_features)));
  for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", call(ring));
  for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", file(Request::set_vring_err, ring));
  for (int i = 0; i < 3; ++i) EXPECT_EQ("", enable(0, 1));
  EXPECT_EQ("", enable(1, 1));
  for (int boot = 0; boot < 2; ++boot) {
    // The firmware's driver and the kernel's one differ in features.
    EXPECT_EQ("", features(boot == 0 ? kVersion1 | kFeatureProtocolFeatures : kOffered));
    EXPECT_EQ("", memory());
    for (const uint32_t ring : {0u, 1u}) {
      EXPECT_EQ("", num(ring, boot == 0 ? 128 : 256));
      EXPECT_EQ("", base(ring, 0));
      EXPECT_EQ("", address(ring));
      EXPECT_EQ("", kick(ring));
      EXPECT_EQ("", call(ring));
    }
    EXPECT_EQ("", call(0)) << "a masked interrupt, on a live ring";
    for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", stop(ring));
    for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", enable(ring, 0));
  }
}

TEST_F(ProtocolStateTest, OrderOfCloudHypervisor) {
  EXPECT_EQ("", send(message(Request::set_owner)));
  EXPECT_EQ("", send(message(Request::get_features)));
  EXPECT_EQ("", send(message(Request::get_protocol_features)));
  EXPECT_EQ("", send(number(Request::set_protocol_features, kProtocol)));
  EXPECT_EQ("", send(message(Request::get_queue_num)));
  for (int boot = 0; boot < 2; ++boot) {
    EXPECT_EQ("", features(kOffered));
    EXPECT_EQ("", memory());
    for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", num(ring, 256));
    for (const uint32_t ring : {0u, 1u}) {
      EXPECT_EQ("", address(ring));
      EXPECT_EQ("", base(ring, 7));
      EXPECT_EQ("", call(ring));
      EXPECT_EQ("", kick(ring));
    }
    for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", enable(ring, 1));
    EXPECT_EQ("", memory()) << "memory hotplug on live rings";
    for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", enable(ring, 1));
    for (const uint32_t ring : {0u, 1u}) {
      EXPECT_EQ("", enable(ring, 0));
      EXPECT_EQ("", stop(ring));
    }
  }
}

TEST_F(ProtocolStateTest, OrderOfAliothWhichKicksFirst) {
  EXPECT_EQ("", send(message(Request::get_features)));
  EXPECT_EQ("", send(message(Request::get_protocol_features)));
  EXPECT_EQ("", send(number(Request::set_protocol_features, kProtocol)));
  EXPECT_EQ("", send(message(Request::get_queue_num)));
  for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", file(Request::set_vring_err, ring));
  EXPECT_EQ("", send(message(Request::set_owner)));
  EXPECT_EQ("", memory());
  EXPECT_EQ("", features(kOffered));
  for (const uint32_t ring : {0u, 1u}) EXPECT_EQ("", kick(ring));
  for (const uint32_t ring : {0u, 1u}) {
    EXPECT_EQ("", call(ring));
    EXPECT_EQ("", num(ring, 256));
    EXPECT_EQ("", base(ring, 0));
    EXPECT_EQ("", address(ring));
    EXPECT_EQ("", enable(ring, 1));
  }
}

TEST_F(ProtocolStateTest, BareFrontEndWithoutProtocolFeatures) {
  EXPECT_EQ("", send(message(Request::set_owner)));
  EXPECT_EQ("", send(message(Request::get_features)));
  run(kVersion1);
}

// --- Features.

TEST_F(ProtocolStateTest, FeaturesBeyondTheOfferAreRefused) {
  EXPECT_THAT(features(kOffered | kFeatureRingPacked), HasSubstr("0x400000000 is not offered"));
  EXPECT_THAT(send(number(Request::set_protocol_features, kProtocol | (1 << 5))),
              HasSubstr("SET_PROTOCOL_FEATURES 0x29: 0x20 is not offered"));
}

TEST_F(ProtocolStateTest, ProtocolFeaturesAreOutOfPlaceWhereNotOffered) {
  state_ = ProtocolState({kVersion1, kProtocol, 1});
  EXPECT_THAT(send(message(Request::get_protocol_features)), HasSubstr("not offered"));
  EXPECT_THAT(send(number(Request::set_protocol_features, 0)), HasSubstr("not offered"));
}

TEST_F(ProtocolStateTest, FeaturesAreFrozenWhileARingHasAddresses) {
  ASSERT_EQ("", features(kOffered));
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 256));
  EXPECT_EQ("", features(kVersion1)) << "nothing is set up yet";
  ASSERT_EQ("", address(0));
  EXPECT_THAT(features(kOffered), HasSubstr("while ring 0 is set up"));
  EXPECT_EQ("", features(kVersion1)) << "the same again is harmless";
  ASSERT_EQ("", stop(0));
  EXPECT_EQ("", features(kOffered));
}

TEST_F(ProtocolStateTest, PackedIsNotFlippedOverAddressesCheckedForSplit) {
  state_ = ProtocolState({kOffered | kFeatureRingPacked, kProtocol, 1});
  run();
  EXPECT_THAT(features(kOffered | kFeatureRingPacked), HasSubstr("while ring 0 is set up"));
}

TEST_F(ProtocolStateTest, LogAllAloneMayChangeWhileRingsRun) {
  state_ = ProtocolState({kOffered | kFeatureLogAll, kProtocol, 1});
  run();
  EXPECT_EQ("", features(kOffered | kFeatureLogAll));
  EXPECT_EQ("", features(kOffered));
  EXPECT_NE("", features(kVersion1 | kFeatureLogAll));
}

TEST_F(ProtocolStateTest, FeaturesTheBackEndRefusedAreNotNegotiated) {
  ASSERT_EQ("", send(number(Request::set_features, kOffered), {}, false));
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 256));
  ASSERT_EQ("", address(0));
  EXPECT_THAT(features(kOffered), HasSubstr("instead of 0x0"));
}

// --- Rings: number, size, base.

TEST_F(ProtocolStateTest, RingNumbersBeyondThePortAreRefused) {
  const char* only = "this port has rings 0 to 1";
  EXPECT_THAT(num(2, 256), HasSubstr(only));
  EXPECT_THAT(num(255, 256), HasSubstr("SET_VRING_NUM for ring 255"));
  EXPECT_THAT(num(0xffffffff, 256), HasSubstr(only));
  EXPECT_THAT(base(2, 0), HasSubstr(only));
  EXPECT_THAT(stop(2), HasSubstr(only));
  EXPECT_THAT(enable(2, 1), HasSubstr(only));
  EXPECT_THAT(kick(2), HasSubstr(only));
  EXPECT_THAT(call(255), HasSubstr("SET_VRING_CALL for ring 255"));
  EXPECT_THAT(file(Request::set_vring_err, 2), HasSubstr(only));
  ASSERT_EQ("", memory());
  EXPECT_THAT(address(2), HasSubstr(only));
}

TEST_F(ProtocolStateTest, RingSizesAreBounded) {
  EXPECT_EQ("SET_VRING_NUM 4096 for ring 0: at most 1024", num(0, 4096));
  EXPECT_THAT(num(0, 32768), HasSubstr("at most"));
  EXPECT_THAT(num(0, 0), HasSubstr("at least 2"));
  EXPECT_THAT(num(0, 1), HasSubstr("at least 2"));
  EXPECT_THAT(num(0, 300), HasSubstr("not a power of two"));
  EXPECT_EQ("", num(0, 2));
  EXPECT_EQ("", num(0, 1024));
}

TEST_F(ProtocolStateTest, APackedRingNeedsNoPowerOfTwoButMustNotBecomeSplitWithout) {
  state_ = ProtocolState({kOffered | kFeatureRingPacked, kProtocol, 1});
  ASSERT_EQ("", features(kOffered | kFeatureRingPacked));
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 300));
  ASSERT_EQ("", features(kOffered));
  EXPECT_THAT(address(0), HasSubstr("300 is not a power of two"));
  ASSERT_EQ("", features(kOffered | kFeatureRingPacked));
  EXPECT_EQ("", address(0));
}

TEST_F(ProtocolStateTest, APackedRingsBaseLiesWithinItsSize) {
  state_ = ProtocolState({kOffered | kFeatureRingPacked, kProtocol, 1});
  ASSERT_EQ("", features(kOffered | kFeatureRingPacked));
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 256));
  ASSERT_EQ("", base(0, 256));
  EXPECT_THAT(address(0), HasSubstr("beyond its size"));
  ASSERT_EQ("", base(0, 0x8000 | 255)) << "bit 15 is the wrap counter";
  ASSERT_EQ("", address(0));
  EXPECT_THAT(base(0, 256), HasSubstr("beyond its size"));
}

TEST_F(ProtocolStateTest, SizeDoesNotChangeOverAddressesCheckedForAnother) {
  ASSERT_EQ("", memory());
  ASSERT_EQ("", enable(0, 1)) << "rte_vhost looks at the addresses at once";
  ASSERT_EQ("", num(0, 8));
  ASSERT_EQ("", address(0));
  EXPECT_THAT(num(0, 1024), HasSubstr("whose addresses were set for 8"));
  EXPECT_EQ("", num(0, 8));
  ASSERT_EQ("", stop(0));
  EXPECT_EQ("", num(0, 1024));
}

TEST_F(ProtocolStateTest, SizeAndBaseOnlyWhileStopped) {
  run();
  EXPECT_EQ("SET_VRING_NUM 256 for ring 1, which is running", num(1, 256));
  EXPECT_EQ("SET_VRING_BASE 5 for ring 0, which is running", base(0, 5));
  ASSERT_EQ("", stop(0));
  EXPECT_EQ("", num(0, 512));
  EXPECT_EQ("", base(0, 5));
  EXPECT_NE("", base(1, 5)) << "ring 1 still runs";
}

TEST_F(ProtocolStateTest, BaseFitsAnIndex) {
  EXPECT_THAT(base(0, 65536), HasSubstr("at most"));
}

TEST_F(ProtocolStateTest, EnableIsABit) {
  EXPECT_THAT(enable(0, 2), HasSubstr("neither 0 nor 1"));
}

TEST_F(ProtocolStateTest, KickCallAddressAndMemoryAreLegalOnLiveRings) {
  run();
  EXPECT_EQ("", kick(0));
  EXPECT_EQ("", call(0));
  EXPECT_EQ("", address(0));
  EXPECT_EQ("", memory());
  EXPECT_EQ("", enable(0, 0));
}

TEST_F(ProtocolStateTest, ASizeTheBackEndCouldNotSetIsUnknown) {
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 256));
  ASSERT_EQ("", send(state(Request::set_vring_num, 0, 512), {}, false));
  EXPECT_THAT(address(0), HasSubstr("before its size"));
}

TEST_F(ProtocolStateTest, ResetOwnerForgetsEverything) {
  run();
  ASSERT_EQ("", send(message(Request::reset_owner)));
  EXPECT_THAT(address(0), HasSubstr("before a memory table"));
  EXPECT_EQ("", features(kVersion1));
  EXPECT_EQ("", num(0, 128));
}

// --- Ring addresses.

class RingAddressTest : public ProtocolStateTest {
 protected:
  void SetUp() override {
    ASSERT_EQ("", features(kOffered));
    ASSERT_EQ("", memory());
    ASSERT_EQ("", num(0, 256));
  }
  std::string with(void (*change)(VringAddress&)) {
    VringAddress areas = ring_areas(0);
    change(areas);
    return send(message(Request::set_vring_addr, areas));
  }
};

TEST_F(RingAddressTest, NeedMemoryAndSizeFirst) {
  ASSERT_EQ("", send(message(Request::reset_owner)));
  EXPECT_THAT(address(0), HasSubstr("before a memory table"));
  ASSERT_EQ("", memory());
  EXPECT_THAT(address(0), HasSubstr("before its size"));
}

TEST_F(RingAddressTest, LieWithinGuestMemory) {
  EXPECT_EQ("", address(0));
  EXPECT_THAT(with([](VringAddress& a) { a.descriptors = kUserBase - 16; }),
              HasSubstr("descriptor area at 0x7efffffffff0 outside guest memory"));
  EXPECT_THAT(with([](VringAddress& a) { a.descriptors = kUserBase + 16 * kMiB - 4080; }),
              HasSubstr("descriptor area"));
  EXPECT_EQ("", with([](VringAddress& a) { a.descriptors = kUserBase + 16 * kMiB - 4096; }));
  EXPECT_THAT(with([](VringAddress& a) { a.used = ~uint64_t{3}; }), HasSubstr("device area"));
  EXPECT_THAT(with([](VringAddress& a) { a.available = 0; }), HasSubstr("driver area"));
}

TEST_F(RingAddressTest, CountTheEventIndexWhenItIsNegotiated) {
  // 4 + 2 * 256 bytes fit exactly, the two of used_event no longer.
  const auto at_the_end = [](VringAddress& a) { a.available = kUserBase + 16 * kMiB - 516; };
  EXPECT_THAT(with(at_the_end), HasSubstr("driver area"));
  ASSERT_EQ("", features(kVersion1));
  EXPECT_EQ("", with(at_the_end));
}

TEST_F(RingAddressTest, AreAligned) {
  EXPECT_THAT(with([](VringAddress& a) { a.descriptors += 8; }), HasSubstr("not aligned"));
  EXPECT_THAT(with([](VringAddress& a) { a.available += 1; }), HasSubstr("not aligned"));
  EXPECT_THAT(with([](VringAddress& a) { a.used += 2; }), HasSubstr("not aligned"));
}

TEST_F(RingAddressTest, FlagsAreKnownAndOffered) {
  EXPECT_THAT(with([](VringAddress& a) { a.flags = 2; }), HasSubstr("unknown flags"));
  EXPECT_THAT(with([](VringAddress& a) { a.flags = kVringLogs; }), HasSubstr("logging"));
}

// --- Descriptors of files.

TEST_F(ProtocolStateTest, OnlyEventfdsForKickCallAndError) {
  for (const Request request :
       {Request::set_vring_kick, Request::set_vring_call, Request::set_vring_err}) {
    EXPECT_THAT(send(number(request, 0), {kPipe}), HasSubstr("not an eventfd"));
    EXPECT_THAT(send(number(request, 0), {memory_file(4096)}), HasSubstr("not an eventfd"));
    EXPECT_THAT(send(number(request, 0)), HasSubstr("0 file descriptors instead of 1"));
    EXPECT_THAT(send(number(request, 0), {kEventfd, kEventfd}), HasSubstr("2 file descriptors"));
    EXPECT_THAT(send(number(request, kNoDescriptor), {kEventfd}), HasSubstr("instead of 0"));
    EXPECT_THAT(send(number(request, 0x200), {kEventfd}), HasSubstr("unknown bits"));
  }
}

TEST_F(ProtocolStateTest, NoKickDescriptorIsRefusedNoCallDescriptorIsNot) {
  EXPECT_THAT(send(number(Request::set_vring_kick, kNoDescriptor)),
              HasSubstr("SET_VRING_KICK for ring 0 without a file descriptor: polled"));
  EXPECT_EQ("", send(number(Request::set_vring_call, kNoDescriptor | 1)));
  EXPECT_EQ("", send(number(Request::set_vring_err, kNoDescriptor)));
}

TEST_F(ProtocolStateTest, DescriptorsWhereNoneBelong) {
  EXPECT_THAT(send(message(Request::set_owner), {kEventfd}), HasSubstr("1 file descriptors"));
  EXPECT_THAT(send(message(Request::get_features), {kEventfd}), HasSubstr("instead of 0"));
  EXPECT_THAT(send(state(Request::set_vring_num, 0, 256), {kEventfd}), HasSubstr("instead of 0"));
}

// --- Memory tables (the layout has a test of its own) and the dirty log.

TEST_F(ProtocolStateTest, ATableTheBackEndCouldNotMapIsNoTable) {
  run();
  ASSERT_EQ("", send(one_region(), {memory_file(16 * kMiB)}, false));
  EXPECT_THAT(address(0), HasSubstr("before a memory table"));
}

class LogTest : public ProtocolStateTest {
 protected:
  LogTest() {
    state_ = ProtocolState({kOffered | kFeatureLogAll, kProtocol | kProtocolLogShmfd, 1});
  }
  std::string log(uint64_t size, uint64_t offset, FdFacts fact) {
    return send(message(Request::set_log_base, LogArea{size, offset}), {fact});
  }
};

TEST_F(ProtocolStateTest, LogIsOutOfPlaceWhereNotOffered) {
  EXPECT_THAT(send(message(Request::set_log_base, LogArea{4096, 0}), {memory_file(4096)}),
              HasSubstr("SET_LOG_BASE: its protocol feature is not offered"));
  EXPECT_THAT(send(message(Request::set_log_fd), {kEventfd}), HasSubstr("not offered"));
}

TEST_F(LogTest, StartsAtOffsetZero) {
  ASSERT_EQ("", memory());
  EXPECT_EQ("", log(4096, 0, memory_file(4096)));
  EXPECT_THAT(log(4096, 4096, memory_file(8192)), HasSubstr("only 0 is possible"));
}

TEST_F(LogTest, CoversTheHighestGuestAddress) {
  EXPECT_THAT(log(512, 0, memory_file(512)), HasSubstr("before a memory table"));
  ASSERT_EQ("", memory());  // 16 MiB are 4096 pages are 512 bytes of bits
  EXPECT_EQ("", log(512, 0, memory_file(512)));
  EXPECT_THAT(log(511, 0, memory_file(512)), HasSubstr("the guest's memory needs 512"));
}

TEST_F(LogTest, LiesInAMemoryFileThatIsLongEnough) {
  ASSERT_EQ("", memory());
  EXPECT_THAT(log(512, 0, kPipe), HasSubstr("neither on tmpfs"));
  EXPECT_THAT(log(512, 0, memory_file(511)), HasSubstr("too short"));
  EXPECT_THAT(send(message(Request::set_log_base, LogArea{512, 0})), HasSubstr("instead of 1"));
  EXPECT_THAT(send(message(Request::set_log_fd), {kPipe}), HasSubstr("not an eventfd"));
}

// --- What is not offered, not known, or malformed.

TEST_F(ProtocolStateTest, ChannelsRoundTheDoorAreNotOffered) {
  for (const Request request :
       {Request::set_backend_req_fd, Request::iotlb_msg, Request::create_crypto_session,
        Request::close_crypto_session, Request::postcopy_advise, Request::postcopy_listen,
        Request::postcopy_end, Request::get_inflight_fd, Request::set_inflight_fd,
        Request::set_status, Request::get_status, Request::get_config, Request::set_config,
        Request::add_mem_reg, Request::rem_mem_reg, Request::reset_device, Request::vring_kick}) {
    EXPECT_THAT(send(message(request)),
                HasSubstr(message_name(static_cast<uint32_t>(request)) + ": not offered"));
  }
  EXPECT_THAT(send(number(Request::send_rarp, 0)), HasSubstr("not offered"));
  EXPECT_THAT(send(number(Request::net_set_mtu, 1500)), HasSubstr("not offered"));
}

TEST_F(ProtocolStateTest, RarpAndMtuWhereOffered) {
  state_ = ProtocolState({kOffered, kProtocol | kProtocolRarp | kProtocolMtu, 1});
  EXPECT_EQ("", send(number(Request::send_rarp, 0x563412005452)));
  EXPECT_EQ("", send(number(Request::net_set_mtu, 1500)));
  EXPECT_THAT(send(number(Request::net_set_mtu, 67)), HasSubstr("68 to 65535"));
  EXPECT_THAT(send(number(Request::net_set_mtu, 65536)), HasSubstr("68 to 65535"));
}

TEST(RequestHeaderTest, UnknownNumbersFlagsAndSizes) {
  const auto reason = [](uint32_t request, uint32_t flags, uint32_t size) -> std::string {
    try {
      check_request_header({request, flags, size});
    } catch (const ProtocolError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_EQ("", reason(1, kVersion, 0));
  EXPECT_EQ("", reason(2, kVersion | kNeedReply, 8));
  EXPECT_THAT(reason(0, kVersion, 0), HasSubstr("message 0: not a vhost-user message"));
  EXPECT_THAT(reason(77, kVersion, 0), HasSubstr("not a vhost-user message"));
  EXPECT_THAT(reason(0xffffffff, kVersion, 0), HasSubstr("not a vhost-user message"));
  EXPECT_THAT(reason(1, 0, 0), HasSubstr("version 0"));
  EXPECT_THAT(reason(1, 2, 0), HasSubstr("version 2"));
  EXPECT_THAT(reason(1, kVersion | kReply, 0), HasSubstr("reply that nobody asked for"));
  EXPECT_THAT(reason(1, kVersion | 0x10, 0), HasSubstr("unknown header flags"));
  EXPECT_THAT(reason(2, kVersion, 0xffffffff), HasSubstr("payload of 4294967295 bytes, not 8"));
  EXPECT_THAT(reason(2, kVersion, 7), HasSubstr("payload of 7 bytes"));
  EXPECT_THAT(reason(5, kVersion, 265), HasSubstr("not 40 to 264"));
}

TEST(AnswerHeaderTest, OfTheBackEndAreBoundedToo) {
  EXPECT_NO_THROW(check_answer_header({2, kVersion | kReply, 8}));
  EXPECT_THROW(check_answer_header({2, kVersion | kReply, 9}), ProtocolError);
  EXPECT_THROW(check_answer_header({2, kVersion, 8}), ProtocolError);
}

}  // namespace
}  // namespace vhost::door::test
