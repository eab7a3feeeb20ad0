// What a front-end message may look like and who answers it: one row a message type.
//
// This is the first check a message meets, on its header alone, before a byte of its payload is
// read. What the payload may say depends on the connection and is ProtocolState's.
//
// Threads: constants and pure functions. Errors: ProtocolError.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "vhost/door/wire.h"

namespace vhost::door {

// A VMM did what the protocol, or this port, does not allow; what() is for the operator.
class ProtocolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Answer : uint8_t {
  refused,  // known, but not offered: whoever sends it is out of place
  ack,      // the back-end's ack, passed on when the VMM asked for one
  backend,  // the back-end has an answer of its own
  door,     // answered here; the back-end never sees it
};

struct MessageRule {
  Request request;
  const char* name;  // without VHOST_USER_
  Answer answer = Answer::refused;
  uint32_t min_size = 0;  // of the payload
  uint32_t max_size = 0;
  uint64_t needs = 0;  // the protocol feature that must be offered
};

// nullptr when the specification does not know the number.
const MessageRule* find_rule(uint32_t request);

// "SET_MEM_TABLE", or "message 77".
std::string message_name(uint32_t request);

// Throws ProtocolError unless the header is that of a message this door serves.
void check_request_header(const Header& header);

// The same for an answer that comes back from rte_vhost, which is not trusted for length either.
void check_answer_header(const Header& header);

}  // namespace vhost::door
