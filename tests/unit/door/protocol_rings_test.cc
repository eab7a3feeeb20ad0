// The door's state machine: rings, their addresses and descriptors of files, memory and its log.
#include "protocol_state_fixture.h"

namespace vhost::door::test {
namespace {

using ::testing::HasSubstr;

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

// A port with several pairs has those rings and no more, whatever the message.
TEST_F(ProtocolStateTest, RingsOfSeveralPairs) {
  constexpr uint64_t kMany = kOffered | kFeatureNetMultiqueue;
  state_ = ProtocolState({kMany, kProtocol, 16});
  EXPECT_EQ(32u, state_.answer(Request::get_queue_num));
  ASSERT_EQ("", call(31)) << "some VMMs send it before the features";
  ASSERT_EQ("", enable(31, 1));
  ASSERT_EQ("", features(kMany));
  ASSERT_EQ("", memory());
  for (const uint32_t ring : {0u, 1u, 30u, 31u}) {
    ASSERT_EQ("", num(ring, 256));
    ASSERT_EQ("", base(ring, 0));
    ASSERT_EQ("", address(ring));
    ASSERT_EQ("", kick(ring));
  }
  const char* most = "this port has rings 0 to 31";
  EXPECT_THAT(num(32, 256), HasSubstr(most));
  EXPECT_THAT(base(32, 0), HasSubstr(most));
  EXPECT_THAT(stop(32), HasSubstr(most));
  EXPECT_THAT(enable(32, 1), HasSubstr(most));
  EXPECT_THAT(kick(32), HasSubstr(most));
  EXPECT_THAT(call(32), HasSubstr(most));
  EXPECT_THAT(file(Request::set_vring_err, 32), HasSubstr(most));
  EXPECT_THAT(address(32), HasSubstr(most));
  EXPECT_EQ("", stop(31)) << "each stops by itself";
  EXPECT_EQ("", num(31, 128));
  EXPECT_THAT(num(30, 128), HasSubstr("running"));
}

// Without MQ the library lets go of the further rings, so that they must not be set up then.
TEST_F(ProtocolStateTest, FurtherPairsNeedMultiqueue) {
  state_ = ProtocolState({kOffered | kFeatureNetMultiqueue, kProtocol, 2});
  run();
  ASSERT_EQ("", num(2, 256));
  ASSERT_EQ("", enable(2, 1));
  EXPECT_EQ("SET_VRING_ADDR for ring 2: VIRTIO_NET_F_MQ was not negotiated", address(2));
  ASSERT_EQ("", stop(0));
  ASSERT_EQ("", stop(1));
  ASSERT_EQ("", features(kOffered | kFeatureNetMultiqueue));
  ASSERT_EQ("", address(2));
  EXPECT_THAT(features(kOffered), HasSubstr("while ring 2 is set up"));
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
  EXPECT_EQ("", base(0, 0x80058005)) << "QEMU says the used place as well";
  EXPECT_THAT(base(0, 0x80058100), HasSubstr("beyond its size"));
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
  run();
  VringAddress areas = ring_areas(0);
  areas.flags = kVringLogs;
  EXPECT_THAT(send(message(Request::set_vring_addr, areas)), HasSubstr("logging is not offered"));
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
  EXPECT_EQ("", send(message(Request::set_log_fd), {kEventfd}));
  EXPECT_THAT(send(message(Request::set_log_fd), {}), HasSubstr("instead of 1"));
}

TEST_F(LogTest, CanBeWrittenInSmallPages) {
  ASSERT_EQ("", memory());
  FdFacts file = memory_file(2 * kMiB);
  file.read_only = true;
  EXPECT_THAT(log(512, 0, file), HasSubstr("cannot be written"));
  file.read_only = false;
  file.huge_pages = true;
  EXPECT_THAT(log(512, 0, file), HasSubstr("on hugetlbfs"));
}

TEST_F(LogTest, TakesNoMoreAddressesThanItMayEverNeed) {
  ASSERT_EQ("", memory());
  constexpr uint64_t kMost = 1024 * kMiB;
  EXPECT_EQ("", log(kMost, 0, memory_file(kMost)));
  EXPECT_THAT(log(kMost + 1, 0, memory_file(kMost + 1)), HasSubstr("at most 1073741824"));
}

TEST_F(LogTest, MayComeAgainWhileRingsRun) {
  run(kOffered | kFeatureLogAll);
  EXPECT_EQ("", log(512, 0, memory_file(512)));
  EXPECT_EQ("", log(1024, 0, memory_file(1024)));
  EXPECT_EQ("", memory()) << "hotplug during a migration";
}

TEST_F(LogTest, UsedRingsAreLoggedWhereTheyLie) {
  ASSERT_EQ("", features(kOffered | kFeatureLogAll));
  ASSERT_EQ("", memory());
  ASSERT_EQ("", num(0, 256));
  const auto logged_at = [this](uint64_t guest, uint32_t flags) {
    VringAddress areas = ring_areas(0);
    areas.flags = flags;
    areas.log_guest_physical = guest;
    return send(message(Request::set_vring_addr, areas));
  };
  EXPECT_EQ("", logged_at(0x6000, kVringLogs));
  EXPECT_THAT(logged_at(0x6004, kVringLogs), HasSubstr("not that of its device area, 0x6000"));
  EXPECT_THAT(logged_at(~uint64_t{0}, kVringLogs), HasSubstr("not that of its device area"));
  EXPECT_EQ("", logged_at(0, 0)) << "means nothing without its flag";
  EXPECT_THAT(logged_at(0x6000, kVringLogs | 2), HasSubstr("unknown flags"));
}

}  // namespace
}  // namespace vhost::door::test
