// The door's state machine: orders of messages, features, and what is out of place or malformed.
#include "protocol_state_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::HasSubstr;

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
  state_ = ProtocolState({kOffered, kProtocol | kProtocolRarp | kProtocolMtu, 1, 9000});
  EXPECT_EQ("", send(number(Request::send_rarp, 0x563412005452)));
  for (const uint64_t nobody : {uint64_t{0}, uint64_t{0x563412005453}, uint64_t{1} << 48}) {
    EXPECT_THAT(send(number(Request::send_rarp, nobody)),
                HasSubstr("not the address of a station"));
  }
  EXPECT_EQ("", send(number(Request::net_set_mtu, 1500)));
  EXPECT_EQ("", send(number(Request::net_set_mtu, 9000)));
  for (const uint64_t mtu : {uint64_t{67}, uint64_t{9001}, uint64_t{1} << 32 | 1500}) {
    EXPECT_THAT(send(number(Request::net_set_mtu, mtu)), HasSubstr("has an MTU of 9000"));
  }
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
