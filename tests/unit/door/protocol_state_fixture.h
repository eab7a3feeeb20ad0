// The door's state machine, fed with messages as the relay feeds it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "messages.h"
#include "vhost/door/message_rules.h"
#include "vhost/door/protocol_state.h"

namespace vhost::door::test {

inline constexpr uint64_t kVersion1 = uint64_t{1} << 32;
inline constexpr uint64_t kOffered = kVersion1 | kFeatureProtocolFeatures | kFeatureEventIdx;
inline constexpr uint64_t kProtocol = kProtocolMultiqueue | kProtocolReplyAck;

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

}  // namespace vhost::door::test
