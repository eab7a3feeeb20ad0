// The vhost-user messages as they lie on the socket.
//
// Source: the vhost-user protocol specification ("Message Specification", "Front-end message
// types"). Every message is a header of 12 bytes and `size` bytes of payload; file descriptors
// travel beside it as SCM_RIGHTS. Both ends are the same little-endian machine.
//
// Threads: constants and plain structs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vhost::door {

// Front-end message types. All that the specification names are here, so that one which is not
// offered can be refused by its name; message_rules.cc says which are served.
enum class Request : uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_log_base = 6,
  set_log_fd = 7,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  get_queue_num = 17,
  set_vring_enable = 18,
  send_rarp = 19,
  net_set_mtu = 20,
  set_backend_req_fd = 21,
  iotlb_msg = 22,
  set_vring_endian = 23,
  get_config = 24,
  set_config = 25,
  create_crypto_session = 26,
  close_crypto_session = 27,
  postcopy_advise = 28,
  postcopy_listen = 29,
  postcopy_end = 30,
  get_inflight_fd = 31,
  set_inflight_fd = 32,
  gpu_set_socket = 33,
  reset_device = 34,
  vring_kick = 35,
  get_max_mem_slots = 36,
  add_mem_reg = 37,
  rem_mem_reg = 38,
  set_status = 39,
  get_status = 40,
  get_shared_object = 41,
  set_device_state_fd = 42,
  check_device_state = 43,
};

struct Header {
  uint32_t request;
  uint32_t flags;
  uint32_t size;  // of the payload
};
static_assert(sizeof(Header) == 12);

inline constexpr uint32_t kVersionMask = 0x3;
inline constexpr uint32_t kVersion = 0x1;
inline constexpr uint32_t kReply = 1u << 2;
inline constexpr uint32_t kNeedReply = 1u << 3;
inline constexpr uint32_t kKnownFlags = kVersionMask | kReply | kNeedReply;

// Payloads.

struct VringState {  // SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_ENABLE
  uint32_t index;
  uint32_t value;
};
static_assert(sizeof(VringState) == 8);

struct VringAddress {  // addresses of the VMM's own address space, but for the log's
  uint32_t index;
  uint32_t flags;
  uint64_t descriptors;
  uint64_t used;
  uint64_t available;
  uint64_t log_guest_physical;
};
static_assert(sizeof(VringAddress) == 40);
inline constexpr uint32_t kVringLogs = 1u << 0;  // writes to the used ring are logged

struct Region {
  uint64_t guest_physical;
  uint64_t size;
  uint64_t user;  // in the VMM's address space
  uint64_t mmap_offset;
};
static_assert(sizeof(Region) == 32);

inline constexpr uint32_t kMaxRegions = 8;  // also what rte_vhost can hold

struct RegionTable {  // SET_MEM_TABLE, with one file descriptor a region
  uint32_t count;
  uint32_t padding;
  Region regions[kMaxRegions];
};
static_assert(sizeof(RegionTable) == 264);
static_assert(offsetof(RegionTable, regions) == 8);

struct LogArea {  // SET_LOG_BASE
  uint64_t mmap_size;
  uint64_t mmap_offset;
};
static_assert(sizeof(LogArea) == 16);

// The u64 of SET_VRING_KICK, _CALL and _ERR.
inline constexpr uint64_t kRingIndexMask = 0xff;
inline constexpr uint64_t kNoDescriptor = 1u << 8;

inline constexpr std::size_t kMaxPayload = sizeof(RegionTable);
inline constexpr std::size_t kMaxDescriptors = kMaxRegions;

// Features that the protocol itself turns on (bit numbers as masks).
inline constexpr uint64_t kFeatureNetMultiqueue = uint64_t{1} << 22;
inline constexpr uint64_t kFeatureLogAll = uint64_t{1} << 26;
inline constexpr uint64_t kFeatureEventIdx = uint64_t{1} << 29;
inline constexpr uint64_t kFeatureProtocolFeatures = uint64_t{1} << 30;
inline constexpr uint64_t kFeatureRingPacked = uint64_t{1} << 34;

inline constexpr uint64_t kProtocolMultiqueue = uint64_t{1} << 0;
inline constexpr uint64_t kProtocolLogShmfd = uint64_t{1} << 1;
inline constexpr uint64_t kProtocolRarp = uint64_t{1} << 2;
inline constexpr uint64_t kProtocolReplyAck = uint64_t{1} << 3;
inline constexpr uint64_t kProtocolMtu = uint64_t{1} << 4;

}  // namespace vhost::door
