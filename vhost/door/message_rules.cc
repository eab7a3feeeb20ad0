#include "vhost/door/message_rules.h"

#include <array>

namespace vhost::door {
namespace {

constexpr uint32_t kU64 = sizeof(uint64_t);
constexpr uint32_t kState = sizeof(VringState);
constexpr uint32_t kOneRegion = offsetof(RegionTable, regions) + sizeof(Region);
constexpr uint32_t kTable = sizeof(RegionTable);

// GET_CONFIG (the port's MAC and MTU) will be answered by the door, ADD_MEM_REG and REM_MEM_REG
// translated into SET_MEM_TABLE: each becomes a row here and a case in ProtocolState.
constexpr MessageRule kRules[] = {
    {Request::get_features, "GET_FEATURES", Answer::door},
    {Request::set_features, "SET_FEATURES", Answer::ack, kU64, kU64},
    {Request::set_owner, "SET_OWNER", Answer::ack},
    {Request::reset_owner, "RESET_OWNER", Answer::ack},
    {Request::set_mem_table, "SET_MEM_TABLE", Answer::ack, kOneRegion, kTable},
    {Request::set_log_base, "SET_LOG_BASE", Answer::backend, sizeof(LogArea), sizeof(LogArea),
     kProtocolLogShmfd},
    {Request::set_log_fd, "SET_LOG_FD", Answer::ack, 0, kU64, kProtocolLogShmfd},
    {Request::set_vring_num, "SET_VRING_NUM", Answer::ack, kState, kState},
    {Request::set_vring_addr, "SET_VRING_ADDR", Answer::ack, sizeof(VringAddress),
     sizeof(VringAddress)},
    {Request::set_vring_base, "SET_VRING_BASE", Answer::ack, kState, kState},
    {Request::get_vring_base, "GET_VRING_BASE", Answer::backend, kState, kState},
    {Request::set_vring_kick, "SET_VRING_KICK", Answer::ack, kU64, kU64},
    {Request::set_vring_call, "SET_VRING_CALL", Answer::ack, kU64, kU64},
    {Request::set_vring_err, "SET_VRING_ERR", Answer::ack, kU64, kU64},
    {Request::get_protocol_features, "GET_PROTOCOL_FEATURES", Answer::door},
    {Request::set_protocol_features, "SET_PROTOCOL_FEATURES", Answer::ack, kU64, kU64},
    {Request::get_queue_num, "GET_QUEUE_NUM", Answer::door},
    {Request::set_vring_enable, "SET_VRING_ENABLE", Answer::ack, kState, kState},
    {Request::send_rarp, "SEND_RARP", Answer::ack, kU64, kU64, kProtocolRarp},
    {Request::net_set_mtu, "NET_SET_MTU", Answer::ack, kU64, kU64, kProtocolMtu},
    {Request::set_backend_req_fd, "SET_BACKEND_REQ_FD"},
    {Request::iotlb_msg, "IOTLB_MSG"},
    {Request::set_vring_endian, "SET_VRING_ENDIAN"},
    {Request::get_config, "GET_CONFIG"},
    {Request::set_config, "SET_CONFIG"},
    {Request::create_crypto_session, "CREATE_CRYPTO_SESSION"},
    {Request::close_crypto_session, "CLOSE_CRYPTO_SESSION"},
    {Request::postcopy_advise, "POSTCOPY_ADVISE"},
    {Request::postcopy_listen, "POSTCOPY_LISTEN"},
    {Request::postcopy_end, "POSTCOPY_END"},
    {Request::get_inflight_fd, "GET_INFLIGHT_FD"},
    {Request::set_inflight_fd, "SET_INFLIGHT_FD"},
    {Request::gpu_set_socket, "GPU_SET_SOCKET"},
    {Request::reset_device, "RESET_DEVICE"},
    {Request::vring_kick, "VRING_KICK"},
    {Request::get_max_mem_slots, "GET_MAX_MEM_SLOTS"},
    {Request::add_mem_reg, "ADD_MEM_REG"},
    {Request::rem_mem_reg, "REM_MEM_REG"},
    {Request::set_status, "SET_STATUS"},
    {Request::get_status, "GET_STATUS"},
    {Request::get_shared_object, "GET_SHARED_OBJECT"},
    {Request::set_device_state_fd, "SET_DEVICE_STATE_FD"},
    {Request::check_device_state, "CHECK_DEVICE_STATE"},
};

constexpr bool rows_stand_at_their_number() {
  uint32_t number = 1;
  for (const MessageRule& rule : kRules) {
    if (static_cast<uint32_t>(rule.request) != number++) return false;
    if (rule.max_size > kMaxPayload || rule.min_size > rule.max_size) return false;
  }
  return true;
}
static_assert(rows_stand_at_their_number(), "find_rule() indexes kRules by message number");

}  // namespace

const MessageRule* find_rule(uint32_t request) {
  if (request == 0 || request > std::size(kRules)) return nullptr;
  return &kRules[request - 1];
}

std::string message_name(uint32_t request) {
  const MessageRule* rule = find_rule(request);
  return rule != nullptr ? rule->name : "message " + std::to_string(request);
}

void check_request_header(const Header& header) {
  const std::string name = message_name(header.request);
  const MessageRule* rule = find_rule(header.request);
  if (rule == nullptr) throw ProtocolError(name + ": not a vhost-user message");
  if ((header.flags & kVersionMask) != kVersion) {
    throw ProtocolError(name + ": protocol version " + std::to_string(header.flags & kVersionMask) +
                        ", only 1 is known");
  }
  if ((header.flags & kReply) != 0) throw ProtocolError(name + ": a reply that nobody asked for");
  if ((header.flags & ~kKnownFlags) != 0) throw ProtocolError(name + ": unknown header flags");
  if (rule->answer == Answer::refused) throw ProtocolError(name + ": not offered by this port");
  if (header.size < rule->min_size || header.size > rule->max_size) {
    throw ProtocolError(name + ": payload of " + std::to_string(header.size) + " bytes, not " +
                        std::to_string(rule->min_size) +
                        (rule->max_size > rule->min_size ? " to " + std::to_string(rule->max_size)
                                                         : std::string()));
  }
}

void check_answer_header(const Header& header) {
  const bool is_reply = header.flags == (kVersion | kReply);
  if (!is_reply || header.size > sizeof(uint64_t)) {
    throw ProtocolError("malformed answer to " + message_name(header.request) +
                        " from the vhost library");
  }
}

}  // namespace vhost::door
